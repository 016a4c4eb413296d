/** `docker run` and its family against Orlop, as a person or a script uses them. */

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { Docker } from "./docker.ts";
import { openTerminal } from "./terminal.ts";

const needs: readonly Need[] = ["root", "product", "docker", "overlay"];

const directory = mkdtempSync(join(tmpdir(), "orlop-docker-"));
const product = new Product(directory, { env: nothingReady });
const docker = new Docker(product);

beforeAll(async () => void (await product.run(["info"])));

afterAll(async () => {
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
});

const waitMs = 10_000;

describe("docker run --rm", () => {
  kernelTest("prints what the container prints, on the right streams, and leaves nothing", needs, async () => {
    const { exitCode, stdout, stderr } = await docker.run([
      "run",
      "--rm",
      "host",
      "sh",
      "-c",
      "echo out; echo err >&2",
    ]);
    expect([exitCode, stdout, stderr]).toEqual([0, "out\n", "err\n"]);
    expect(await docker.ok("ps", "-aq")).toBe("");
  });

  for (const code of [0, 1, 2, 42, 127, 128, 137, 254, 255]) {
    kernelTest(`gives exit code ${code} on`, needs, async () => {
      expect((await docker.run(["run", "--rm", "host", "sh", "-c", `exit ${code}`])).exitCode).toBe(code);
    });
  }

  for (const { what, words, code, says } of [
    {
      what: "a flag that the engine refuses",
      words: ["--cap-add", "NO_SUCH", "host", "true"],
      code: 125,
      says: /NO_SUCH/,
    },
    { what: "a file that cannot be executed", words: ["host", "/etc/passwd"], code: 126, says: /permission denied/i },
    { what: "a directory", words: ["host", "/etc"], code: 126, says: /permission denied|is a directory/i },
    { what: "no name at all", words: ["host", ""], code: 127, says: /exec: "": executable file not found in \$PATH/ },
    { what: "a program that does not exist", words: ["host", "no-such-program"], code: 127, says: /not found/ },
    { what: "a path that does not exist", words: ["host", "/no/such/program"], code: 127, says: /no such file/i },
  ]) {
    kernelTest(`${code}: ${what}`, needs, async () => {
      const { exitCode, stderr } = await docker.run(["run", "--rm", ...words]);
      expect(exitCode).toBe(code);
      expect(stderr).toMatch(says);
      expect(await docker.ok("ps", "-aq")).toBe("");
    });
  }

  kernelTest("a program that a signal ends: 128 and its number", needs, async () => {
    expect((await docker.run(["run", "--rm", "host", "sh", "-c", "kill -9 $$"])).exitCode).toBe(0);
    const { exitCode } = await docker.run(["run", "--rm", "host", "sh", "-c", "sh -c 'kill -9 $$'"]);
    expect(exitCode).toBe(137);
  });
});

describe("docker run -i", () => {
  kernelTest("passes standard input on, and its end", needs, async () => {
    const text = "line\n".repeat(10_000);
    const { exitCode, stdout } = await docker.run(["run", "--rm", "-i", "host", "cat"], { stdin: text });
    expect(exitCode).toBe(0);
    expect(stdout).toBe(text);
  });

  kernelTest("half-close: what comes after the end of input still arrives", needs, async () => {
    const script = "wc -c; sleep 0.2; echo after";
    const { stdout } = await docker.run(["run", "--rm", "-i", "host", "sh", "-c", script], { stdin: "12345" });
    expect(stdout).toBe("5\nafter\n");
  });
});

describe("docker run -it", () => {
  kernelTest("is a terminal: size, echo, ^C, exit code", needs, async () => {
    await using terminal = openTerminal(docker.command("run", "--rm", "-it", "host", "sh"), docker.env, {
      rows: 40,
      columns: 100,
    });
    await terminal.says(/[#$] $/);
    terminal.type('until [ "$(stty size)" = "40 100" ]; do sleep 0.02; done; echo it has $(stty size)\r');
    await terminal.says(/it has 40 100/);
    terminal.type("cat\r");
    terminal.type("echoed\r");
    await terminal.says(/echoed[\s\S]*echoed/);
    terminal.type("\u0003");
    await terminal.says(/\^C[\s\S]*[#$] $/);
    terminal.type("exit 7\r");
    expect(await terminal.exited).toBe(7);
  });

  kernelTest("the terminal's new size reaches the program", needs, async () => {
    await using terminal = openTerminal(docker.command("run", "--rm", "-it", "host", "sh"), docker.env, {
      rows: 24,
      columns: 80,
    });
    await terminal.says(/[#$] $/);
    terminal.resize({ rows: 30, columns: 90 });
    await waitUntil(
      async () => {
        terminal.type("stty size\r");
        return terminal.text.includes("30 90");
      },
      waitMs,
      "30 rows of 90",
    );
    terminal.type("exit\r");
    expect(await terminal.exited).toBe(0);
  });
});

describe("docker run -d", () => {
  kernelTest("logs, ps, inspect, wait, stop, rm", needs, async () => {
    const id = await docker.ok(
      "run",
      "-d",
      "--name",
      "web",
      "host",
      "sh",
      "-c",
      "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done",
    );
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    await waitUntil(async () => (await docker.ok("logs", "web")) === "ready", waitMs, "the log has a line");
    expect(await docker.ok("ps", "--format", "{{.Names}} {{.Image}}")).toBe("web host");
    expect(await docker.ok("inspect", "-f", "{{.State.Running}} {{.Config.Image}} {{.Name}}", "web")).toBe(
      "true host /web",
    );
    const waited = docker.ok("wait", "web");
    await docker.ok("stop", "web");
    expect(await waited).toBe("5");
    expect(await docker.ok("ps", "-a", "--format", "{{.Status}}")).toMatch(/^Exited \(5\)/);
    await docker.ok("rm", "web");
    expect(await docker.ok("ps", "-aq")).toBe("");
  });

  kernelTest("kill sends the signal that is named", needs, async () => {
    const id = await docker.ok(
      "run",
      "-d",
      "host",
      "sh",
      "-c",
      "trap 'echo got USR1' USR1; echo ready; while :; do sleep 0.05; done",
    );
    await waitUntil(async () => (await docker.ok("logs", id)).includes("ready"), waitMs, "it runs");
    await docker.ok("kill", "-s", "USR1", id);
    await waitUntil(async () => (await docker.ok("logs", id)).includes("got USR1"), waitMs, "the signal arrived");
    await docker.ok("rm", "-f", id);
  });

  kernelTest("attach joins a container that runs; its input outlives the client (no StdinOnce)", needs, async () => {
    const id = await docker.ok("run", "-d", "-i", "host", "cat");
    const attached = docker.run(["attach", id], { stdin: "to cat\n" });
    await waitUntil(async () => (await docker.ok("logs", id)) === "to cat", waitMs, "cat has written it");
    expect(await docker.ok("inspect", "-f", "{{.State.Running}}", id)).toBe("true");
    await docker.ok("kill", id);
    expect((await attached).exitCode).toBe(137); // as with Docker, it stays until the container's end
    await docker.ok("rm", "-f", id);
  });

  kernelTest("start -ai attaches to a container that was created", needs, async () => {
    const id = await docker.ok("create", "-i", "host", "sh", "-c", "cat; exit 6");
    const { exitCode, stdout } = await docker.run(["start", "-a", "-i", id], { stdin: "through\n" });
    expect([exitCode, stdout]).toEqual([6, "through\n"]);
    await docker.ok("rm", id);
  });

  kernelTest("a signal to docker run reaches the container", needs, async () => {
    const script = "trap 'exit 9' INT; echo ready; while :; do sleep 0.05; done";
    const child = Bun.spawn(docker.command("run", "--rm", "--name", "sig", "host", "sh", "-c", script), {
      env: { ...process.env, ...docker.env },
      stdout: "pipe",
      stderr: "inherit",
    });
    await waitUntil(async () => (await docker.run(["logs", "sig"])).stdout.includes("ready"), waitMs, "it runs");
    child.kill("SIGINT");
    expect(await child.exited).toBe(9);
  });
});

describe("what docker asks before and besides", () => {
  kernelTest("version and info", needs, async () => {
    expect(await docker.ok("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}")).toMatch(/^linux\/(amd64|arm64)$/);
    expect(await docker.ok("info", "--format", "{{.Containers}}")).toBe("0");
  });

  kernelTest("a container that does not exist is named, in Docker's words", needs, async () => {
    const { exitCode, stderr } = await docker.run(["inspect", "nobody"]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/No such (object|container): nobody/i);
  });

  kernelTest("a name that is taken is a conflict", needs, async () => {
    await docker.ok("create", "--name", "taken", "host", "true");
    const { exitCode, stderr } = await docker.run(["create", "--name", "taken", "host", "true"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('The container name "/taken" is already in use');
    await docker.ok("rm", "taken");
  });
});
