/** `orlop exec` and `docker exec`: what the further process is, and what it cannot reach. */

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { PointFile } from "../crash/point-file.ts";
import { Docker } from "../docker-cli/docker.ts";
import { openTerminal } from "../docker-cli/terminal.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { monitorOf, Product, testOrlopPath } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay"];
const waitMs = 10_000;

const directory = mkdtempSync(join(tmpdir(), "orlop-exec-"));
const rootfs = existsSync("/proc/self") ? makeBusyboxRoot(directory) : "";
const points = new PointFile(join(directory, "points"));
const product = new Product(directory, { program: testOrlopPath, env: { ORLOP_POINT_FILE: points.path } });
const docker = new Docker(product);

/** Starts a container that stays. Its init's pid. */
async function stay(name: string, ...flags: string[]): Promise<number> {
  await product.ok("run", "-d", "--name", name, "--rootfs", rootfs, ...flags, "/bin/sleep", "1000");
  return (await product.engine.containers.inspect(name)).State.Pid;
}

beforeAll(async () => {
  await stay("box", "-e", "GIVEN=yes", "--memory", "64m", "--ulimit", "nofile=77:99", "--oom-score-adj", "250");
});

afterAll(async () => {
  points.disarm();
  await product.stop();
  points[Symbol.dispose]();
  rmSync(directory, { recursive: true, force: true });
});

describe("a process of an exec", () => {
  kernelTest("is in every namespace and group of its container", needs, async () => {
    const { Pid } = (await product.engine.containers.inspect("box")).State;
    await product.ok("exec", "-d", "box", "sleep", "777");
    const groups = readFileSync(`/proc/${Pid}/cgroup`, "utf8");
    const pids = readFileSync(tasksOf(groups), "utf8").trim().split("\n").map(Number);
    const other = pids.find((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("777"));
    expect(other).toBeDefined();
    expect(readFileSync(`/proc/${other}/cgroup`, "utf8")).toBe(groups);
    for (const kind of readdirSync(`/proc/${Pid}/ns`)) {
      if (kind.endsWith("_for_children")) continue;
      expect([kind, readlinkSync(`/proc/${other}/ns/${kind}`)]).toEqual([
        kind,
        readlinkSync(`/proc/${Pid}/ns/${kind}`),
      ]);
    }
    await product.ok("exec", "box", "killall", "sleep");
  });

  kernelTest("has the container's limits, rights, filter and environment", needs, async () => {
    const facts =
      "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj";
    const [inside, first] = await Promise.all([
      product.ok("exec", "box", "sh", "-c", facts),
      product.ok(
        "run",
        "--rm",
        "--rootfs",
        rootfs,
        "--ulimit",
        "nofile=77:99",
        "--oom-score-adj",
        "250",
        "sh",
        "-c",
        facts,
      ),
    ]);
    expect(inside).toBe(first);
    expect(await product.ok("exec", "-e", "MORE=1", "box", "sh", "-c", "echo $GIVEN $MORE $HOME $PWD")).toBe(
      "yes 1 /root /",
    );
  });

  kernelTest("is one process to its user's limit of processes", needs, async () => {
    await stay("alone", "-u", "4321", "--ulimit", "nproc=1");
    expect(await product.ok("exec", "alone", "sh", "-c", "ulimit -u")).toBe("1");
    expect(await product.ok("exec", "alone", "sh", "-c", "ulimit -Hu")).toBe("1");
    await product.ok("rm", "-f", "alone");
  });

  kernelTest("is who, where and with what was asked for", needs, async () => {
    const asked = ["exec", "-u", "worker", "-w", "/tmp", "-e", "GIVEN=other", "box"];
    expect(await product.ok(...asked, "sh", "-c", "id -u; id -g; pwd; echo $GIVEN")).toBe("1000\n1000\n/tmp\nother");
    expect(
      (await product.run(["exec", "-u", "nobody-at-all", "box", "id"])).stderr +
        (await product.run(["exec", "-u", "nobody-at-all", "box", "id"])).stdout,
    ).toContain("nobody-at-all");
  });

  kernelTest("gets all capabilities with --privileged, and keeps the filter", needs, async () => {
    const status = await product.ok("exec", "--privileged", "box", "cat", "/proc/self/status");
    const init = readFileSync(`/proc/${process.pid}/status`, "utf8");
    expect(/CapEff:\s+(\w+)/.exec(status)?.[1]).toBe(/CapBnd:\s+(\w+)/.exec(init)?.[1]);
    expect(status).toMatch(/Seccomp:\s+2/);
  });

  kernelTest(
    "has nothing of the host open while it is not the program yet, and cannot be looked into",
    needs,
    async () => {
      await stay("watched");
      points.arm("step.umask", "stop");
      const asked = product.run(["exec", "watched", "true"]);
      await waitUntil(() => points.hasActed, waitMs, "the exec is stopped");
      points.disarm();
      const { Pid } = (await product.engine.containers.inspect("watched")).State;
      const pids = readFileSync(tasksOf(readFileSync(`/proc/${Pid}/cgroup`, "utf8")), "utf8")
        .trim()
        .split("\n")
        .map(Number);
      const stopped = pids.find((pid) => pid !== Pid) ?? 0;
      try {
        const open = readdirSync(`/proc/${stopped}/fd`).map((fd) => readlinkSync(`/proc/${stopped}/fd/${fd}`));
        expect(open.filter((target) => !/^(pipe|socket):|^\/dev\/null$/.test(target))).toEqual([]);
        expect(readlinkSync(`/proc/${stopped}/root`)).toBe(readlinkSync(`/proc/${Pid}/root`));
        // Root in the container may look into its equals, and not into this one.
        expect(
          (
            await product.run(["exec", "watched", "sh", "-c", "ls -l /proc/[0-9]*/exe 2>&1 | grep -c orlop"])
          ).stdout.trim(),
        ).toBe("0");
      } finally {
        process.kill(stopped, "SIGCONT");
      }
      expect((await asked).exitCode).toBe(0);
      await product.ok("rm", "-f", "watched");
    },
  );
});

describe("exit codes and messages are Docker's", () => {
  for (const { what, words, code, says } of [
    { what: "its own", words: ["sh", "-c", "exit 42"], code: 42, says: /^$/ },
    { what: "a signal's", words: ["sh", "-c", "kill -9 $$"], code: 137, says: /^$/ },
    {
      what: "not found",
      words: ["no-such-program"],
      code: 127,
      says: /exec: "no-such-program": executable file not found in \$PATH/,
    },
    { what: "no name at all", words: [""], code: 127, says: /exec: "": executable file not found in \$PATH/ },
    { what: "no such path", words: ["/no/such"], code: 127, says: /no such file or directory/ },
    { what: "not executable", words: ["/etc/passwd"], code: 126, says: /permission denied/ },
  ]) {
    kernelTest(`${code}: ${what}`, [...needs, "docker"], async () => {
      for (const outcome of [
        await product.run(["exec", "box", ...words]),
        await docker.run(["exec", "box", ...words]),
      ]) {
        expect(outcome.exitCode).toBe(code);
        expect(outcome.stdout.trim()).toMatch(says);
      }
    });
  }

  kernelTest("a working directory that is not there", needs, async () => {
    const { exitCode, stdout } = await product.run(["exec", "-w", "/not/there", "box", "true"]);
    expect([exitCode, stdout]).toEqual([126, expect.stringContaining("/not/there")]);
    expect((await product.run(["exec", "box", "ls", "/not"])).exitCode).toBe(1); // and it was not made
  });

  kernelTest("a container that does not run is a conflict, one that is not there not found", needs, async () => {
    await product.ok("create", "--name", "idle", "--rootfs", rootfs, "true");
    expect((await product.run(["exec", "idle", "true"])).stderr).toContain("is not running");
    expect((await product.run(["exec", "nobody", "true"])).stderr).toContain("No such container: nobody");
    await product.ok("rm", "idle");
    await stay("frozen");
    await product.engine.containers.pause("frozen");
    expect((await product.run(["exec", "frozen", "true"])).stderr).toContain(
      "is paused, unpause the container before exec",
    );
    await product.engine.containers.unpause("frozen");
    await product.ok("rm", "-f", "frozen");
  });
});

describe("streams", () => {
  kernelTest("input reaches it and ends, the outputs stay apart", [...needs, "docker"], async () => {
    const script = "cat; echo err >&2";
    for (const client of [product, docker]) {
      const outcome = await client.run(["exec", "-i", "box", "sh", "-c", script], { stdin: "in\n" });
      expect(outcome).toEqual({ exitCode: 0, stdout: "in\n", stderr: "err\n" });
    }
  });

  kernelTest("ten megabytes go in and come out whole", needs, async () => {
    const bytes = new Uint8Array(10 << 20).map((_, index) => 97 + (index % 26));
    const { stdout } = await product.run(["exec", "-i", "box", "cat"], { stdin: bytes });
    expect(Bun.hash(stdout)).toBe(Bun.hash(bytes));
  });

  kernelTest("what is written right before the exit is not lost, a hundred times", needs, async () => {
    for (let i = 0; i < 100; i++) {
      const outcome = await product.run(["exec", "box", "echo", `line ${i}`]);
      expect(outcome).toEqual({ exitCode: 0, stdout: `line ${i}\n`, stderr: "" });
    }
  });

  kernelTest("a child that keeps the pipe open does not keep the client", needs, async () => {
    const outcome = await product.run(["exec", "box", "sh", "-c", "sleep 300 & echo done"]);
    expect(outcome).toEqual({ exitCode: 0, stdout: "done\n", stderr: "" });
    await product.ok("exec", "box", "killall", "sleep");
  });

  kernelTest(
    "a terminal has our size, and follows it; the detach keys leave it running",
    [...needs, "docker"],
    async () => {
      for (const command of [product.command("exec", "-it", "box", "sh"), docker.command("exec", "-it", "box", "sh")]) {
        await using terminal = openTerminal(command, docker.env, { rows: 31, columns: 71 });
        await terminal.says(/# /);
        terminal.type('until [ "$(stty size)" = "31 71" ]; do sleep 0.02; done; echo size $(stty size); tty\n');
        await terminal.says(/size 31 71[\s\S]*\/dev\/pts\/\d/);
        terminal.resize({ rows: 22, columns: 66 });
        terminal.type('until [ "$(stty size)" = "22 66" ]; do sleep 0.02; done; echo now $(stty size)\n');
        await terminal.says(/now 22 66/);
        terminal.type("echo $$ > /tmp/shell\n\x10\x11");
        expect([0, 1]).toContain(await terminal.exited); // docker's says "read escape sequence", and 1
        const end = "until [ -s /tmp/shell ]; do sleep 0.02; done; kill -9 $(cat /tmp/shell) && rm /tmp/shell";
        await product.ok("exec", "box", "sh", "-c", end);
      }
    },
  );
});

describe("over the engine's death", () => {
  kernelTest("an exec goes on, is found again, and its exit code is kept", needs, async () => {
    const { execs } = product.engine;
    const make = async (Cmd: string[]) => {
      const { Id } = await execs.create("box", {
        Cmd,
        AttachStdin: false,
        AttachStdout: false,
        AttachStderr: false,
        Tty: false,
      });
      return Id;
    };
    const long = await make(["sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 9"]);
    const later = await make(["sh", "-c", "exit 4"]);
    const short = await make(["sh", "-c", "sleep 0.3; exit 5"]);
    await execs.start(long);
    await execs.start(short);
    const engine = product.enginePid() ?? 0;
    process.kill(engine, "SIGKILL");
    product.disconnect();
    await product.ok("info");
    const again = product.engine.execs;
    expect(await again.inspect(long)).toMatchObject({ Running: true, ExitCode: null });
    await waitUntil(async () => (await again.inspect(short)).ExitCode === 5, waitMs, "the short one has ended");
    await again.start(later);
    await waitUntil(async () => (await again.inspect(later)).ExitCode === 4, waitMs, "one that was only created runs");
    await product.ok("exec", "box", "touch", "/tmp/go");
    await waitUntil(async () => (await again.inspect(long)).ExitCode === 9, waitMs, "the long one has ended");
  });

  for (const [where, env] of Object.entries({
    "in the engine": {},
    "in a process of its own": { ORLOP_OWN_PROCESS: "1" },
  }))
    kernelTest(
      `a command whose start the engine did not live to see is started by the next one, ${where}`,
      needs,
      async () => {
        points.arm("step.gate", "stop");
        const asked = product.run(["exec", "box", "sh", "-c", "echo once; exit 3"], { env });
        await waitUntil(() => points.hasActed, waitMs, "it stands before its gate");
        points.disarm();
        process.kill(product.enginePid() ?? 0, "SIGKILL");
        expect(await asked).toEqual({ exitCode: 3, stdout: "once\n", stderr: "" });
      },
    );

  kernelTest("one whose monitor is killed has ended, with 137", needs, async () => {
    const { execs } = product.engine;
    const config = { Cmd: ["sleep", "55"], AttachStdin: false, AttachStdout: false, AttachStderr: false, Tty: false };
    const { Id } = await execs.create("box", config);
    await execs.start(Id);
    const { Pid } = (await execs.inspect(Id)) as unknown as { Pid: number };
    process.kill(monitorOf(Pid), "SIGKILL");
    await waitUntil(async () => (await execs.inspect(Id)).ExitCode === 137, waitMs, "its end is known");
    await waitUntil(() => !isAlive(Pid), waitMs, "its process has ended");
    expect(await product.ok("exec", "box", "echo", "others go on")).toBe("others go on");
  });

  kernelTest(
    "one whose monitor was killed while no engine was there has ended, too; what it had started goes on",
    needs,
    async () => {
      const { execs } = product.engine;
      const config = {
        Cmd: ["sh", "-c", "sleep 56 & sleep 57 & wait"],
        AttachStdin: false,
        AttachStdout: false,
        AttachStderr: false,
        Tty: false,
      };
      const { Id } = await execs.create("box", config);
      await execs.start(Id);
      const { Pid } = (await execs.inspect(Id)) as unknown as { Pid: number };
      const monitor = monitorOf(Pid);
      const engine = product.enginePid() ?? 0;
      process.kill(engine, "SIGSTOP");
      process.kill(monitor, "SIGKILL");
      process.kill(engine, "SIGKILL");
      product.disconnect();
      await product.ok("info");
      expect(await product.engine.execs.inspect(Id)).toMatchObject({ Running: false, ExitCode: 137 });
      await waitUntil(() => !isAlive(Pid), waitMs, "its process has ended");
      expect((await product.engine.containers.inspect("box")).State.Status).toBe("running");
      await product.ok("exec", "box", "sh", "-c", "pkill sleep -f '5[67]' || true");
    },
  );
});

kernelTest("execs are listed while they run, and end with their container", needs, async () => {
  await stay("short");
  const { execs, containers } = product.engine;
  const config = { Cmd: ["sleep", "55"], AttachStdin: false, AttachStdout: false, AttachStderr: false, Tty: false };
  const { Id } = await execs.create("short", config);
  await execs.start(Id);
  const listed = async () => ((await containers.inspect("short")) as unknown as { ExecIDs: string[] | null }).ExecIDs;
  expect(await listed()).toEqual([Id]);
  await product.ok("kill", "short");
  await waitUntil(async () => (await execs.inspect(Id)).ExitCode === 137, waitMs, "it ended with its container");
  expect(await listed()).toBeNull();
  await product.ok("rm", "short");
});

/** Not a zombie either. */
function isAlive(pid: number): boolean {
  const path = `/proc/${pid}/status`;
  return existsSync(path) && !/^State:\s+Z/m.test(readFileSync(path, "utf8"));
}

/** The list of a container's processes, from its line of a hierarchy that has them all. */
function tasksOf(groups: string): string {
  const path = /^\d+:pids:(.*)$/m.exec(groups)?.[1];
  return path === undefined
    ? `/sys/fs/cgroup${/^0::(.*)$/m.exec(groups)?.[1]}/cgroup.procs`
    : `/sys/fs/cgroup/pids${path}/cgroup.procs`;
}
