/** Execs on a recording executor. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { StepFailure } from "../../kernel/executor.ts";
import { FakeExecutor } from "../../kernel/executor-fake.ts";
import { FakeNetd } from "../../kernel/netd-fake.ts";
import type { Step, StepName } from "../../kernel/step.ts";
import { parseContainerCreate } from "../../spec/engine-api-container.ts";
import { parseExecCreate } from "../../spec/engine-api-exec.ts";
import type { Container } from "../containers/container.ts";
import { Engine } from "../engine.ts";
import { ExecClient } from "./exec-client.ts";

let directory: string;
let executor: FakeExecutor;
let engine: Engine;
let container: Container;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "orlop-exec-"));
  executor = new FakeExecutor();
  executor.pid = process.pid; // one whose /proc can be read
  engine = await Engine.open({
    places: { runDir: join(directory, "run"), stateDir: join(directory, "state") },
    executor,
    netd: new FakeNetd(),
    installRules: async () => undefined,
    watch: () => undefined,
  });
  const body = {
    Image: "host",
    Cmd: ["sleep"],
    Env: ["A=1", "B=2"],
    User: "7:7",
    WorkingDir: "/srv",
    HostConfig: { NetworkMode: "none", Ulimits: [{ Name: "nofile", Soft: 5, Hard: 6 }], OomScoreAdj: 300 },
  };
  container = (await engine.containers.create(parseContainerCreate(body), "")).container;
  await container.start();
});

afterEach(async () => {
  await engine.close();
  rmSync(directory, { recursive: true });
});

const create = (body: Record<string, unknown> = {}) =>
  container.execs.create(parseExecCreate({ Cmd: ["true"], AttachStdout: true, ...body }));
const monitor = (index = 1) => executor.monitors[index] ?? expect.unreachable("no monitor was started");

function steps(): readonly Step[] {
  return executor.plans.at(-1) ?? [];
}

function step<N extends StepName>(name: N): Extract<Step, { op: N }> {
  const found = steps().find(({ op }) => op === name);
  return (found ?? expect.unreachable(`no ${name}`)) as Extract<Step, { op: N }>;
}

test("limits and groups come before the namespaces, everything that is opened after them, rights last", async () => {
  const exec = create({ Tty: false });
  exec.claim();
  await exec.start();
  const order = steps()
    .map(({ op }) => op)
    .filter((op) => op !== "write");
  expect(order).toEqual([
    "exit-record",
    "stdio",
    "listen",
    "target",
    "spawn",
    "rlimit",
    "oom-score",
    "join",
    "keyring",
    "attach-stdio",
    "umask",
    "cwd",
    "seccomp",
    "bounding",
    "user",
    "capabilities",
    "enter",
    "gate",
    "exec",
  ]);
  expect(step("target").pid).toBe(process.pid);
  expect(step("keyring").name).toBe(container.id);
});

test("what it does not ask for is the container's", async () => {
  const exec = create({ Env: ["B=3"] });
  exec.claim();
  await exec.start();
  expect(step("exec").env).toContain("A=1");
  expect(step("exec").env).toContain("B=3");
  expect(step("user")).toMatchObject({ uid: 7, gid: 7 });
  expect(step("cwd")).toMatchObject({ path: "/srv", make: 0 });
});

test("what it asks for is its own", async () => {
  const exec = create({ User: "8:9", WorkingDir: "/opt", Tty: true, ConsoleSize: [20, 40], Privileged: true });
  exec.claim();
  await exec.start();
  expect(step("user")).toMatchObject({ uid: 8, gid: 9 });
  expect(step("cwd").path).toBe("/opt");
  expect(step("terminal")).toMatchObject({ rows: 20, columns: 40, console: 0 });
  expect(step("bounding").mask).toBeGreaterThan(0x1fffffffffn);
});

test("it can be started once, while its container runs", async () => {
  const exec = create();
  exec.claim();
  expect(() => exec.claim()).toThrow("is running already");
  await exec.start();
  expect(container.execs.ids()).toEqual([exec.id]);
  monitor().exit(5 << 8);
  await exec.ended;
  expect([exec.exitCode, container.execs.ids()]).toEqual([5, []]);
  expect(() => exec.claim()).toThrow("has already run");
  const late = create();
  monitor(0).exit(0);
  await container.wait("not-running", new AbortController().signal);
  expect(() => late.claim()).toThrow("is not running");
  expect(() => create()).toThrow("is not running");
});

test("a client is connected before the program runs, and sees the end when the exit code is known", async () => {
  const side = new PassThrough();
  executor.onAttach = () => side;
  const exec = create();
  exec.claim();
  const client = new PassThrough();
  const ended = new Promise((resolve) => client.once("finish", resolve));
  const done = exec.start(new ExecClient(client));
  side.end();
  await Bun.sleep(1); // its output has ended, its exit is not known
  expect(client.writableEnded).toBe(false);
  monitor().exit(0);
  await ended;
  await done;
  expect(exec.exitCode).toBe(0);
});

test.each(["attached", "detached"])("an end that comes with the start is told behind it: %s", async (how) => {
  const startMonitor = executor.startMonitor.bind(executor);
  executor.startMonitor = async (...asked) => {
    const link = await startMonitor(...asked);
    monitor().go();
    monitor().exit(0);
    return link;
  };
  const side = new PassThrough();
  executor.onAttach = () => side.end();
  const exec = create();
  exec.claim();
  await exec.start(how === "attached" ? new ExecClient(new PassThrough()) : undefined);
  await exec.ended;
  const told: string[] = [];
  const query = { untilNs: BigInt(Date.now() + 1) * 1_000_000n, matches: () => true };
  for await (const { action } of engine.events.read(query, new AbortController().signal)) told.push(action);
  expect(told.filter((action) => action.startsWith("exec_"))).toEqual([
    "exec_create: true",
    "exec_start: true",
    "exec_die",
  ]);
});

test.each([
  ["exec", 2, 127, 'exec: "true": executable file not found in $PATH'],
  ["exec", 13, 126, "permission denied"],
  ["cwd", 2, 126, "chdir to"],
  ["target", 3, 126, "is not running"],
  ["join", 3, 126, "is not running"],
  ["spawn", 3, 126, "was killed before its program ran"],
] as const)("a failing %s with errno %d is %d", async (op, errno, exitCode, says) => {
  const exec = create();
  exec.claim();
  executor.onRun = (plan) => {
    throw new StepFailure(
      plan,
      plan.findIndex((one) => one.op === op),
      errno,
      "",
    );
  };
  await expect(exec.start()).rejects.toThrow(says);
  expect([exec.status, exec.exitCode]).toEqual(["exited", exitCode]);
});

test("a size that comes while it starts is not lost", async () => {
  const exec = create({ Tty: true });
  exec.claim();
  const started = exec.start();
  exec.resize(3, 4);
  await started;
  expect(monitor().calls).toContain("resize 3 4");
  expect(() => exec.resize(0, 4)).toThrow("terminal size");
});

test.each([
  // how many, how large each, how many of them are kept
  [520, 1, 512],
  [8, 3 << 20, 5],
])("of %d that were never started, %d bytes each, the newest %d are kept", async (count, sizeBytes, kept) => {
  const claimed = create();
  claimed.claim();
  const ids = Array.from({ length: count }, () => create({ Cmd: ["x".repeat(sizeBytes)] }).id);
  expect(container.execs.ids()).toEqual([claimed.id, ...ids.slice(-kept)]);
  expect(readdirSync(join(container.places.runDir, "exec")).sort()).toEqual([claimed.id, ...ids.slice(-kept)].sort());
});
