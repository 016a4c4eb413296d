/** The door to the executor: monitors started, found again and attached to, as the engine does it. */

import { expect } from "bun:test";
import { once } from "node:events";
import { existsSync, lstatSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { Executor } from "../../src/kernel/executor.ts";
import { openExecutor } from "../../src/kernel/executor-socket.ts";
import { encodePlan } from "../../src/kernel/plan.ts";
import { waitUntil } from "../wait-until.ts";
import { because } from "./child.ts";
import { kernelTest, type Need, type Scratch } from "./harness.ts";
import { planOf, type Sketch } from "./monitor-fixture.ts";
import { isAlive, startSupervisor } from "./supervisor-fixture.ts";

const needs: readonly Need[] = ["root", "executor"];

interface Machine {
  readonly executor: Executor;
  readonly sketch: (script: string, more?: Partial<Sketch>) => Sketch;
  readonly socketPath: string;
}

async function open(scratch: Scratch): Promise<Machine> {
  const { runDirectory } = await startSupervisor(scratch);
  return {
    executor: openExecutor(runDirectory),
    sketch: (script, more = {}) => ({ directory: scratch.directory, argv: ["/bin/sh", "-c", script], ...more }),
    socketPath: join(scratch.directory, "monitor.sock"),
  };
}

async function textOf(stream: Duplex): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks).toString("latin1");
}

kernelTest("a container's life: spawned, waiting, started, exited, closed", needs, async (scratch) => {
  const { executor, sketch } = await open(scratch);
  using link = await executor.startMonitor(planOf(sketch("exit 7")));
  expect(isAlive(link.pid)).toBe(true);
  const before = BigInt(Date.now()) * 1_000_000n;
  link.go();
  const started = await link.started;
  expect(started.pid).toBe(link.pid);
  expect(started.startedNs >= before).toBe(true);
  const exited = await link.exited;
  expect(exited.status).toBe(7 << 8);
  expect(exited.endedNs >= started.startedNs).toBe(true);
  await link.closed;
  expect(readFileSync(join(scratch.directory, "exit"), "utf8")).toBe(`status=1792 ended=${exited.endedNs}\n`);
});

kernelTest("GO with the plan: nothing waits", needs, async (scratch) => {
  const { executor, sketch } = await open(scratch);
  using link = await executor.startMonitor(planOf(sketch("exit 0")), { go: true });
  expect((await link.exited).status).toBe(0);
});

kernelTest("a command that is missing rejects `started` with its step, and leaves nothing", needs, async (scratch) => {
  const { executor, sketch, socketPath } = await open(scratch);
  using link = await executor.startMonitor(planOf({ ...sketch(""), argv: ["no-such-command"] }), { go: true });
  const failure = { name: "StepFailure", errno: "ENOENT", detail: "no-such-command", step: { op: "exec" } };
  await expect(link.started).rejects.toMatchObject(failure);
  await expect(link.exited).rejects.toMatchObject(failure);
  await link.closed;
  await waitUntil(() => !existsSync(socketPath), 5000, "its socket is gone");
});

kernelTest("a step that fails before spawn rejects the start itself", needs, async (scratch) => {
  const { executor, sketch } = await open(scratch);
  const plan = [
    ...because([{ op: "write", path: "/no/such/file", data: new Uint8Array(1) }]),
    ...planOf(sketch("true")),
  ];
  await expect(executor.startMonitor(plan)).rejects.toMatchObject({ errno: "ENOENT", index: 0 });
});

kernelTest("leaving before the start undoes the container", needs, async (scratch) => {
  const { executor, sketch, socketPath } = await open(scratch);
  const link = await executor.startMonitor(planOf(sketch("sleep 60")));
  expect(existsSync(socketPath)).toBe(true);
  link[Symbol.dispose]();
  await waitUntil(() => !isAlive(link.pid) && !existsSync(socketPath), 5000, "init and socket are gone");
});

kernelTest(
  "leaving after the start changes nothing: a later engine finds the container again",
  needs,
  async (scratch) => {
    const { executor, sketch, socketPath } = await open(scratch);
    const first = await executor.startMonitor(planOf(sketch("sleep 60")), { go: true });
    const started = await first.started;
    first[Symbol.dispose]();
    using second = await executor.connectMonitor(socketPath);
    expect(await second.started).toEqual(started);
    second.signal(9);
    expect((await second.exited).status).toBe(9);
  },
);

kernelTest("attach: output from the first byte on, input, and half-close", needs, async (scratch) => {
  const { executor, sketch, socketPath } = await open(scratch);
  using link = await executor.startMonitor(planOf(sketch("cat; echo end >&2")));
  const { stream } = await executor.attachMonitor(socketPath, { streams: 7 });
  link.go();
  stream.end("hello");
  const text = await textOf(stream);
  expect(text).toBe("\x01\0\0\0\0\0\0\x05hello\x02\0\0\0\0\0\0\x04end\n");
  expect((await link.exited).status).toBe(0);
});

kernelTest("attach continues exactly where the log ends", needs, async (scratch) => {
  const { executor, sketch, socketPath } = await open(scratch);
  const script = "echo before; read line; echo after $line";
  using link = await executor.startMonitor(planOf(sketch(script, { log: { driver: "json-file" } })), { go: true });
  const log = join(scratch.directory, "log");
  await link.started;
  while (!existsSync(log) || statSync(log).size === 0) await link.watchLog();
  const attached = await executor.attachMonitor(socketPath, { streams: 3 });
  expect([attached.inode, attached.offset]).toEqual([BigInt(statSync(log).ino), BigInt(statSync(log).size)]);
  attached.stream.write("x\n");
  expect(await textOf(attached.stream)).toBe("\x01\0\0\0\0\0\0\x08after x\n");
  await link.exited;
  await link.watchLog(); // settles: the log is whole
  expect(readFileSync(log, "utf8").split("\n").length).toBe(3);
});

kernelTest("a monitor that is killed is noticed", needs, async (scratch) => {
  const { executor, sketch } = await open(scratch);
  using link = await executor.startMonitor(planOf(sketch("sleep 60")), { go: true });
  await link.started;
  const parent = /^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${link.pid}/status`, "utf8"))?.[1];
  process.kill(Number(parent), "SIGKILL");
  await expect(link.exited).rejects.toMatchObject({ code: "executor_lost" });
  await link.closed;
  process.kill(link.pid, "SIGKILL"); // its init outlives it: nothing of ours dies with its parent
  await waitUntil(() => !isAlive(link.pid), 5000, "init is gone");
});

kernelTest("a terminal is resized, and its output comes raw", needs, async (scratch) => {
  const { executor, sketch, socketPath } = await open(scratch);
  const script = "read go; stty size; exit 3";
  const terminal = { rows: 10, columns: 20, console: 0 };
  // Where /dev/ptmx is a link into /dev/pts, as in a container, the new one is there already.
  const isLink = lstatSync("/dev/ptmx").isSymbolicLink();
  const ptmx = { op: "bind", source: "/dev/pts/ptmx", target: "/dev/ptmx", flags: 0, set: 0, clear: 0 } as const;
  const devpts = because([
    {
      op: "mount",
      fstype: "devpts",
      source: "devpts",
      target: "/dev/pts",
      attributes: 0,
      options: ["newinstance", "ptmxmode=0666"],
    },
    ...(isLink ? [] : [ptmx]),
  ]);
  const privately = because([{ op: "propagation", path: "/", flags: 0x4000 | (1 << 18) }]);
  using link = await executor.startMonitor(planOf(sketch(script, { terminal, inside: [...privately, ...devpts] })), {
    go: true,
  });
  const { stream } = await executor.attachMonitor(socketPath, { streams: 7 });
  await link.started;
  link.resize(33, 44);
  stream.write("\n");
  expect(await textOf(stream)).toContain("33 44");
  expect((await link.exited).status).toBe(3 << 8);
});

kernelTest("an aborted plan rejects with the reason", needs, async (scratch) => {
  const { executor } = await open(scratch);
  const abort = new AbortController();
  const steps = because([
    { op: "rmdir", path: "/proc/self" },
    { op: "read", path: "/proc/loadavg" },
  ]);
  abort.abort(new Error("enough"));
  await expect(executor.run(steps, { signal: abort.signal })).rejects.toThrow("enough");
});

kernelTest("without a supervisor every door is closed, and says so", needs, async ({ directory }) => {
  const executor = openExecutor(directory);
  await expect(executor.run([])).rejects.toMatchObject({ code: "executor_lost" });
  await expect(executor.startMonitor([])).rejects.toMatchObject({ code: "executor_lost" });
  await expect(executor.connectMonitor(join(directory, "none"))).rejects.toMatchObject({ code: "executor_lost" });
  await expect(executor.attachMonitor(join(directory, "none"), { streams: 7 })).rejects.toMatchObject({
    code: "executor_lost",
  });
});

kernelTest("a plan whose sender is gone is not begun, though all of it is there", needs, async (scratch) => {
  const { runDirectory, pid } = await startSupervisor(scratch);
  const made = join(scratch.directory, "made");
  const socket = connect(join(runDirectory, "control.sock"));
  await once(socket, "connect");
  const children = (): string => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  await waitUntil(() => /^\d+$/.test(children()), 5000, "a task");
  const task = Number(children());
  process.kill(task, "SIGSTOP"); // it has read nothing yet
  await new Promise<void>((resolve) =>
    socket.write(encodePlan(because([{ op: "mkdir", path: made, mode: 0o700 }])), () => resolve()),
  );
  socket.destroy();
  process.kill(task, "SIGCONT");
  await waitUntil(() => children() === "", 5000, "the task's end");
  expect(existsSync(made)).toBe(false);
});
