/** What the docker command line is answered in cases where it once was refused, or told something else than by dockerd. */

import { afterAll, describe, expect } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { beforeAllWhere, kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { Docker } from "./docker.ts";

const needs: readonly Need[] = ["root", "product", "docker", "overlay", "busybox"];

const directory = mkdtempSync(join(tmpdir(), "orlop-as-docker-"));
const product = new Product(directory, { env: nothingReady });
const docker = new Docker(product);

beforeAllWhere(needs, async () => {
  await product.run(["info"]);
  if (!existsSync("/proc/self")) return;
  const { exitCode } = await docker.run(["import", "-", "base"], { stdin: await tarOf(makeBusyboxRoot(directory)) });
  expect(exitCode).toBe(0);
});

afterAll(async () => {
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function tarOf(root: string): Promise<Uint8Array<ArrayBuffer>> {
  const child = Bun.spawn(["tar", "-C", root, "-c", "."], { stdout: "pipe" });
  return new Uint8Array(await new Response(child.stdout).arrayBuffer());
}

/** Of a command that fails: its exit code, and what it says. */
async function failure(...words: string[]): Promise<string> {
  const { exitCode, stderr } = await docker.run(words);
  return `${exitCode}: ${stderr}`;
}

describe("what a container is to join", () => {
  kernelTest("may be made after it: its start is what needs it", needs, async () => {
    await docker.ok(
      "create",
      "--name",
      "early",
      "--network",
      "later",
      "--network-alias",
      "soon",
      "base",
      "hostname",
      "-i",
    );
    expect(await docker.ok("inspect", "-f", "{{.State.Status}} {{.HostConfig.NetworkMode}}", "early")).toBe(
      "created later",
    );
    expect(await docker.ok("ps", "-a", "--filter", "network=later", "--format", "{{.Networks}}")).toBe("later");
    expect(await failure("start", "early")).toContain("network later not found");
    expect(await docker.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "early")).toBe("created 128");
    await docker.ok("network", "create", "--subnet", "10.77.91.0/24", "later");
    expect(await docker.ok("start", "-a", "early")).toMatch(/^10\.77\.91\./);
    await docker.ok("rm", "early");
    await docker.ok("network", "rm", "later");
  });

  kernelTest("a network that came late and cannot give what was asked for is told at the start", needs, async () => {
    await docker.ok(
      "create",
      "--name",
      "early",
      "--network",
      "later",
      "--mac-address",
      "02:42:0a:4d:5c:02",
      "base",
      "true",
    );
    await docker.ok("rm", "early");
    await docker.ok("create", "--name", "early", "--network", "later", "--ip", "10.77.92.9", "base", "true");
    await docker.ok("network", "create", "--subnet", "10.77.93.0/24", "later");
    expect(await failure("start", "early")).toContain("10.77.92.9");
    await docker.ok("rm", "early");
    await docker.ok("network", "rm", "later");
  });

  kernelTest("docker run leaves such a container behind, without --rm", needs, async () => {
    expect(await failure("run", "--name", "left", "--network", "nowhere", "base", "true")).toMatch(
      /^125: .*network nowhere not found/,
    );
    expect(await docker.ok("ps", "-a", "--format", "{{.Names}} {{.Status}}")).toBe("left Created");
    await docker.ok("rm", "left");
    expect(await failure("run", "--rm", "--network", "nowhere", "base", "true")).toMatch(/^125: .*not found/);
    expect(await docker.ok("ps", "-aq")).toBe("");
  });

  kernelTest("a container whose network it is to have may come later, too", needs, async () => {
    await docker.ok("create", "--name", "second", "--network", "container:first", "base", "hostname");
    expect(await failure("start", "second")).toContain("No such container: first");
    await docker.ok("run", "-d", "--name", "first", "--hostname", "of-first", "base", "sleep", "1000");
    expect(await docker.ok("start", "-a", "second")).toBe("of-first");
    await docker.ok("rm", "-f", "first", "second");
  });
});

describe("docker ps --filter ancestor", () => {
  kernelTest("finds the containers of images that were made from it", needs, async () => {
    await docker.ok("run", "--name", "one", "base", "touch", "/more");
    await docker.ok("commit", "one", "more");
    await docker.ok("run", "--name", "two", "more", "true");
    await docker.ok("commit", "--change", "ENV A=b", "two", "same-files");
    await docker.ok("run", "--name", "three", "same-files", "true");
    const names = (ancestor: string) =>
      docker
        .ok("ps", "-a", "--filter", `ancestor=${ancestor}`, "--format", "{{.Names}}")
        .then((out) => out.split("\n"));
    expect(await names("base")).toEqual(["three", "two", "one"]);
    expect(await names("more")).toEqual(["three", "two"]);
    expect(await names("same-files")).toEqual(["three"]);
    expect(await names((await docker.ok("images", "-q", "more")).slice(0, 8))).toEqual(["three", "two"]);
    expect(await names("nobody")).toEqual([""]);
    await docker.ok("rm", "one", "two", "three");
    await docker.ok("rmi", "same-files", "more");
  });
});

describe("docker top", () => {
  kernelTest("takes every option that this machine's ps takes", needs, async () => {
    await docker.ok("run", "-d", "--name", "busy", "base", "sleep", "1000");
    const titles = async (...options: string[]) =>
      (await docker.ok("top", "busy", ...options)).split("\n").map((line) => line.split(/\s+/).join(" "));
    expect((await titles("-eLf"))[0]).toBe("UID PID PPID LWP C NLWP STIME TTY TIME CMD");
    expect((await titles("axjf"))[0]).toBe("PPID PID PGID SID TTY TPGID STAT UID TIME COMMAND");
    const [head, ...processes] = await titles("-eo", "psr,pid,wchan,args", "--sort=-rss");
    expect(head).toBe("PSR PID WCHAN COMMAND");
    const pid = await docker.ok("inspect", "-f", "{{.State.Pid}}", "busy");
    expect(processes).toEqual([expect.stringMatching(new RegExp(`^\\d+ ${pid} \\S+ sleep 1000$`))]);
    expect(await failure("top", "busy", "-eo", "pid,nonsense")).toMatch(
      /^1: .*unknown user-defined format specifier "nonsense"/,
    );
    expect(await failure("top", "busy", "--no-headers")).toContain("Couldn't find PID field in ps output");
    expect(await failure("top", "busy", "-o", "ppid=PID", "-o", "wchan")).toContain("another title than PID");
    await docker.ok("rm", "-f", "busy");
  });
});

describe("options that ask for nothing here", () => {
  kernelTest(
    "a policy of a security module that the machine has not is taken, and said to do nothing",
    needs,
    async () => {
      const { exitCode, stderr } = await docker.run([
        ...["create", "--security-opt", "label=type:web_t", "--security-opt", "apparmor=web", "base", "true"],
      ]);
      expect(stderr).toContain("This machine has no SELinux: the security option label=type:web_t does nothing.");
      expect(stderr).toContain("This machine has no AppArmor: the security option apparmor=web does nothing.");
      expect(exitCode).toBe(0);
      expect(await failure("create", "--security-opt", "nonsense=1", "base", "true")).toContain(
        'invalid --security-opt 2: "nonsense=1"',
      );
    },
  );

  kernelTest("runc's names mean the executor; any negative number of processes means no limit", needs, async () => {
    await docker.ok("run", "--rm", "--runtime", "io.containerd.runc.v2", "--pids-limit", "-5", "base", "true");
    expect(await failure("run", "--runtime", "kata", "base", "true")).toContain(
      "unknown or invalid runtime name: kata",
    );
    expect(await docker.ok("run", "--name", "told", "base", "echo", "a")).toBe("a");
    expect(await docker.ok("logs", "--tail", "-5", "told")).toBe("a");
    await docker.ok("rm", "told");
  });

  kernelTest("an out-of-memory killer that is switched off without a limit is warned of", needs, async () => {
    const { stderr } = await docker.run(["run", "--rm", "--oom-kill-disable", "base", "true"]);
    expect(stderr).toContain("OOM killer is disabled for the container, but no memory limit is set");
  });
});

describe("Docker's words for what is wrong", () => {
  for (const [words, says] of [
    [["-m", "1m"], "Minimum memory limit allowed is 6MB"],
    [["-m", "50m", "--memory-swap", "20m"], "Minimum memoryswap limit should be larger than memory limit"],
    [["--cpus", "9999"], "Range of CPUs is from 0.01 to "],
    [["--cpuset-cpus", "9999"], "Requested CPUs are not available - requested 9999, available: 0"],
    [["--cpuset-mems", "999"], "Requested memory nodes are not available - requested 999, available: 0"],
    [["-u", "nobody-here"], "unable to find user nobody-here: no matching entries in passwd file"],
    [["-w", "here"], "the working directory 'here' is invalid, it needs to be an absolute path"],
    [["--name", "b@d"], "Invalid container name (b@d), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"],
    [["--stop-signal", "NONE"], "invalid signal: NONE"],
    [["--device", "/dev/none"], 'adding custom device "/dev/none": no such file or directory'],
  ] as const)
    kernelTest(`${words.join(" ")}: ${says}`, needs, async () => {
      expect(await failure("create", ...words, "base", "true")).toContain(says);
    });

  kernelTest("a running container is named with its slash where it cannot be removed", needs, async () => {
    await docker.ok("run", "-d", "--name", "busy", "base", "sleep", "1000");
    expect(await failure("rm", "busy")).toContain('cannot remove container "/busy": container is running');
    await docker.ok("rm", "-f", "busy");
  });
});

kernelTest("what a container has for later builds goes into the image that a commit makes of it", needs, async () => {
  const json = { Image: "base", Cmd: ["true"], OnBuild: ["RUN true"], ArgsEscaped: true };
  await product.engine.json({ method: "POST", path: "/containers/create", query: { name: "parent" }, json });
  expect(await docker.ok("inspect", "-f", "{{json .Config.OnBuild}} {{.Config.ArgsEscaped}}", "parent")).toBe(
    '["RUN true"] true',
  );
  await docker.ok("commit", "parent", "child");
  expect(await docker.ok("inspect", "-f", "{{json .Config.OnBuild}}", "child")).toBe('["RUN true"]');
  await docker.ok("rm", "parent");
  await docker.ok("rmi", "child");
});

describe("docker events", () => {
  kernelTest("a prune of networks is told", needs, async () => {
    await docker.ok("network", "create", "idle");
    expect(await docker.ok("network", "prune", "-f")).toContain("idle");
    const until = String(Math.ceil(Date.now() / 1000));
    const told = ["--filter", "type=network", "--filter", "event=prune", "--format", "{{json .Actor.Attributes}}"];
    expect(await docker.ok("events", "--since", "1m", "--until", until, ...told)).toBe('{"reclaimed":"0"}');
  });

  kernelTest("a commit tells the image, its name and the comment", needs, async () => {
    await docker.ok("run", "--name", "made", "base", "touch", "/made");
    const id = await docker.ok("commit", "-m", "why", "made", "kept:1");
    const told = await docker.ok(
      ...[
        "events",
        "--since",
        "10s",
        "--until",
        String(Math.ceil(Date.now() / 1000)),
        "--filter",
        "event=commit",
        "--filter",
        "container=made",
        "--format",
        "{{json .Actor.Attributes}}",
      ],
    );
    expect(JSON.parse(told)).toEqual({ comment: "why", image: "base", imageID: id, imageRef: "kept:1", name: "made" });
    await docker.ok("rm", "made");
    await docker.ok("rmi", "kept:1");
  });
});
