/** A container's life on a recording executor. */

import { afterAll, afterEach, beforeEach, expect, jest, spyOn, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { PassThrough } from "node:stream";
import { waitUntil } from "../../../test/wait-until.ts";
import { OrlopError } from "../../base/errors.ts";
import { StepFailure } from "../../kernel/executor.ts";
import { FakeExecutor } from "../../kernel/executor-fake.ts";
import { FakeNetd } from "../../kernel/netd-fake.ts";
import { encodePlan, encodeRest } from "../../kernel/plan.ts";
import type { Step } from "../../kernel/step.ts";
import { parseContainerCreate } from "../../spec/engine-api-container.ts";
import { parseContainerUpdate } from "../../spec/engine-api-update.ts";
import { DurableStore } from "../../store/durable-store.ts";
import { Engine } from "../engine.ts";
import type { Container } from "./container.ts";
import { LikelyKinds } from "./likely-kinds.ts";

let directory: string;
let executor: FakeExecutor;
let engine: Engine;

async function openEngine(): Promise<void> {
  executor = new FakeExecutor();
  engine = await Engine.open({
    places: { runDir: join(directory, "run"), stateDir: join(directory, "state") },
    executor,
    netd: new FakeNetd(),
    installRules: async () => undefined,
    watch: () => undefined,
  });
}

/** How long what is ready is waited for: not by the clock of a machine that may be busy. */
const patience = spyOn(LikelyKinds.prototype, "patienceMs");
afterAll(() => patience.mockRestore());

beforeEach(async () => {
  patience.mockReturnValue(600_000);
  directory = mkdtempSync(join(tmpdir(), "orlop-engine-"));
  await openEngine();
});
afterEach(async () => {
  await engine.close();
  rmSync(directory, { recursive: true });
});

async function create(body: Record<string, unknown> = {}, name = ""): Promise<Container> {
  const request = parseContainerCreate({
    Image: "host",
    Cmd: ["true"],
    ...body,
    HostConfig: { NetworkMode: "none", ...(body["HostConfig"] as object) },
  });
  return (await engine.containers.create(request, name)).container;
}
const transient = { HostConfig: { AutoRemove: true } };
const toOutput = { stdin: false, stdout: true, stderr: true, logs: false, stream: true, detachKeys: [] };
const never = new AbortController().signal;
const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));
const monitor = (index = 0) => executor.monitors[index] ?? expect.unreachable("no monitor was started");

test("created, running, exited: each state knows what can be done in it", async () => {
  executor.pid = process.pid; // one that is there
  const container = await create();
  expect(container.status).toBe("created");
  expect(() => container.kill("KILL")).toThrow("is not running");
  expect(await container.stop()).toBe(false);

  expect(await container.start()).toBe(true);
  expect(container.status).toBe("running");
  expect(await container.start()).toBe(false);
  await expect(container.remove(false)).rejects.toThrow("container is running");
  container.kill("TERM");
  expect(monitor().calls).toContain("signal 15");

  const exit = container.wait("not-running", never);
  monitor().exit(3 << 8);
  expect((await exit).exitCode).toBe(3);
  expect(container.status).toBe("exited");
  expect(await container.start()).toBe(true);
  expect(executor.monitors).toHaveLength(2);
});

test("a name is taken at once, and free again after the removal", async () => {
  const first = await create({}, "web");
  await expect(create({}, "web")).rejects.toThrow('The container name "/web" is already in use');
  expect(engine.containers.get("web")).toBe(first);
  expect(engine.containers.get(first.id.slice(0, 6))).toBe(first);
  await first.remove(false);
  expect(() => engine.containers.get("web")).toThrow("No such container: web");
  await create({}, "web");
});

test.each(["x", "-a", "a b", "../a"])("%j is no name", async (name) => {
  await expect(create({}, name)).rejects.toThrow("Invalid container name");
});

test("a request that cannot be carried out leaves nothing behind", async () => {
  await expect(create({ User: "nobody-at-all" }, "web")).rejects.toThrow("unable to find user nobody-at-all");
  await expect(create({ Image: "alpine" })).rejects.toThrow("No such image: alpine:latest");
  expect(engine.containers.all()).toEqual([]);
  await create({}, "web");
});

test("by force one is removed, too, that was just being started", async () => {
  const container = await create();
  const started = container.start();
  const removed = container.remove(true);
  await started;
  await new Promise(setImmediate); // what was queued behind it begins
  expect(monitor().calls).toContain("signal 9");
  monitor().exit(9);
  await removed;
  expect(engine.containers.all()).toEqual([]);
});

/** Plans that clear groups away: how many each. */
const clearings = () =>
  executor.plans.map((steps) => steps.filter(({ op }) => op === "kill-group").length).filter((count) => count > 0);

test("what several containers' runs leave goes in one plan; a start that waits for it has it go at once", async () => {
  const containers = [await create(), await create()];
  for (const container of containers) await container.start();
  jest.useFakeTimers(); // none fires by itself
  try {
    const exits = containers.map((container) => container.wait("next-exit", never));
    for (const one of executor.monitors) one.exit(0);
    await Promise.all(exits);
    expect(clearings()).toEqual([]);
    expect(await containers[0]?.start()).toBe(true);
    expect(clearings()).toEqual([2]);
  } finally {
    jest.useRealTimers();
  }
});

test.each([{ PidMode: "host" }, { IpcMode: "shareable" }])(
  "with %j something else may hang on it: it goes at once",
  async (HostConfig) => {
    const container = await create({ HostConfig });
    await container.start();
    jest.useFakeTimers();
    try {
      const exit = container.wait("next-exit", never);
      monitor().exit(0);
      await exit;
      expect(clearings()).toEqual([1]);
    } finally {
      jest.useRealTimers();
    }
  },
);

test("a --rm container is gone when its program is", async () => {
  const container = await create(transient, "once");
  const removed = container.wait("removed", never);
  await container.start();
  monitor().exit(0);
  expect((await removed).exitCode).toBe(0);
  expect(engine.containers.all()).toEqual([]);
});

test("the start of a --rm container begins when it is made, and waits at its gate", async () => {
  const container = await create(transient);
  expect([container.status, monitor().calls]).toEqual(["created", []]);
  await container.start();
  expect([container.status, monitor().calls, executor.monitors.length]).toEqual(["running", ["go"], 1]);
  monitor().exit(0);
  await container.wait("removed", never);
});

test("a begun start is taken back when the container changes, goes, or is not started in time; a later one is another", async () => {
  const changed = await create(transient);
  await changed.update(parseContainerUpdate({ Memory: 2 ** 26 }));
  expect(monitor(0).calls).toEqual(["withdraw"]);
  await changed.remove(false);

  const removed = await create(transient);
  await removed.remove(false);
  expect(monitor(1).calls).toEqual(["withdraw"]);

  const late = await create(transient);
  await monitor(2).closed;
  await late.start();
  expect([monitor(2).calls, monitor(3).calls]).toEqual([["withdraw"], ["go"]]);
  monitor(3).exit(0);
  await late.wait("removed", never);
});

test("what fails before its start is asked for is told when it is", async () => {
  const fail = (steps: readonly Step[]) =>
    new StepFailure(
      steps,
      steps.findIndex(({ op }) => op === "exec"),
      2,
      "",
    );
  executor.onRun = (steps) => {
    if (steps.some(({ op }) => op === "spawn")) throw fail(steps);
    return new Map();
  };
  const container = await create(transient);
  expect(container.status).toBe("created");
  await expect(container.start()).rejects.toThrow("executable file not found");
  expect(engine.containers.all()).toEqual([]);
});

test("a start that fails is told in Docker's words; a --rm container goes with it", async () => {
  for (const body of [{}, transient]) {
    executor.onRun = (steps) => {
      const index = steps.findIndex((step) => step.op === "exec");
      if (index >= 0) throw new StepFailure(steps, index, 2, "");
      return new Map();
    };
    const container = await create(body);
    const failure = await container.start().then(
      () => expect.unreachable("it started"),
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(OrlopError);
    expect(String(failure)).toContain('exec: "true": executable file not found in $PATH: unknown');
    executor.onRun = () => new Map();
  }
  const [left, ...others] = engine.containers.all();
  expect(others).toEqual([]);
  expect(left?.run).toMatchObject({ status: "created", exitCode: 127 });
});

test("a removal that is on the disk at the same moment as the end is told behind it", async () => {
  const container = await create();
  await container.start();
  const told: string[] = [];
  const publish = spyOn(engine.events, "publish").mockImplementation(({ action }) => void told.push(action));
  const unwritten: (() => void)[] = [];
  const apply = spyOn(DurableStore.prototype, "apply").mockImplementation(
    () => new Promise<void>((resolve) => void unwritten.push(resolve)),
  );
  monitor().exit(0);
  await waitUntil(() => container.status === "exited", 10_000, "it has exited");
  let isRemoved = false;
  const removed = container.remove(false).then(() => {
    isRemoved = true;
  });
  while (!isRemoved) {
    await nextTurn();
    for (const resolve of unwritten.splice(0)) resolve();
  }
  await removed;
  await nextTurn();
  apply.mockRestore();
  publish.mockRestore();
  expect(told.filter((action) => action === "die" || action === "destroy")).toEqual(["die", "destroy"]);
});

test("a monitor that dies takes its container with it, and the record says so", async () => {
  const container = await create();
  await container.start();
  const exit = container.wait("next-exit", never);
  monitor().fail(OrlopError.of("executor_lost", { reason: "it was killed" }));
  expect(await exit).toMatchObject({ status: "exited", exitCode: 137 });
  expect(container.run.error).toContain("its monitor was lost");
  expect(executor.plans.flat().some((step) => step.op === "kill-group")).toBe(true);
});

test("one whose monitor died has not ended before its processes are killed", async () => {
  const container = await create();
  await container.start();
  executor.onRun = (steps) => {
    if (steps.some(({ op }) => op === "kill-group"))
      throw OrlopError.of("executor_lost", { reason: "nobody is there" });
    return new Map();
  };
  const exit = container.wait("next-exit", never);
  monitor().fail(OrlopError.of("executor_lost", { reason: "it was killed" }));
  await Bun.sleep(50);
  expect(container.isRunning).toBe(true);
  executor.onRun = () => new Map();
  expect(await exit).toMatchObject({ status: "exited", exitCode: 137 });
});

test("a client that came before the start is connected before the program runs", async () => {
  const container = await create();
  const order: string[] = [];
  const side = new PassThrough();
  executor.onAttach = () => {
    order.push(`attach, calls so far: ${monitor().calls.join()}`);
    return side;
  };
  const client = new PassThrough();
  const attached = container.attach(toOutput, client);
  await container.start();
  expect(order).toEqual(["attach, calls so far: "]);
  expect(monitor().calls[0]).toBe("go");
  side.end();
  await attached;
});

test("who waits hears of the end behind the output", async () => {
  const container = await create();
  const [side, client] = [new PassThrough(), new PassThrough()];
  executor.onAttach = () => side;
  void container.attach(toOutput, client);
  await container.start();
  const order: string[] = [];
  client.on("data", (bytes) => order.push(String(bytes)));
  const exit = container.wait("not-running", never).then(() => order.push("exit"));
  monitor().exit(0);
  await nextTurn();
  side.end("the last line");
  await exit;
  expect(order).toEqual(["the last line", "exit"]);
});

test("stop sends the container's signal and waits; operations queue behind it", async () => {
  const container = await create({ StopSignal: "SIGUSR1", StopTimeout: -1 });
  await container.start();
  const stopped = container.stop();
  const started = container.start();
  await Promise.resolve();
  expect(executor.monitors).toHaveLength(1);
  await nextTurn();
  expect(monitor().calls).toContain("signal 10");
  monitor().exit(0);
  expect(await stopped).toBe(true);
  expect(await started).toBe(true);
  expect(executor.monitors).toHaveLength(2);
});

test("a waiter that leaves is forgotten", async () => {
  const container = await create();
  await container.start();
  const leaving = new AbortController();
  const wait = container.wait("next-exit", leaving.signal);
  leaving.abort(new Error("left"));
  await expect(wait).rejects.toThrow("left");
});

test("the next engine knows every container; what ended meanwhile is read from its exit record", async () => {
  const ended = await create({}, "ended");
  const lost = await create({}, "lost");
  const fresh = await create({}, "fresh");
  const once = await create(transient, "once");
  for (const container of [ended, lost, once]) await container.start();
  writeFileSync(ended.places.exitRecord, "status=1792 ended=1700000000000000000\n");
  writeFileSync(once.places.exitRecord, "status=1280 ended=1700000000000000000\n");
  await engine.close();
  await openEngine(); // the first one's monitors are not this executor's
  const status = (name: string) => engine.containers.get(name).run;
  expect(status("ended")).toMatchObject({ status: "exited", exitCode: 7, endedNs: "1700000000000000000" });
  expect(status("lost")).toMatchObject({ status: "exited", exitCode: 137 });
  expect(status("fresh").status).toBe("created");
  expect(engine.containers.get(fresh.id).name).toBe("fresh");
  // Its client has lost the engine too, and comes back for the exit code; then it goes as it should have.
  expect(status("once")).toMatchObject({ status: "exited", exitCode: 5 });
  expect((await engine.containers.get("once").wait("removed", never)).exitCode).toBe(5);
  expect(() => engine.containers.get("once")).toThrow("No such container");
});

test("a change that a --rm container's end overtakes does not write it down again", async () => {
  const container = await create(transient, "once");
  await container.start();
  const removed = container.wait("removed", never);
  executor.run = async () => {
    monitor().exit(0);
    await removed;
    return new Map();
  };
  const failure = await container.update(parseContainerUpdate({ Memory: 2 ** 26 })).then(
    () => undefined,
    (error: Error) => error.message,
  );
  expect(failure).toBe(`No such container: ${container.id}`);
  await engine.close();
  await openEngine();
  expect(engine.containers.all()).toEqual([]);
});

test("new limits that the kernel refuses are a conflict, those whose task was killed are not", async () => {
  const container = await create();
  await container.start();
  const update = () =>
    container.update(parseContainerUpdate({ Memory: 2 ** 26 })).catch((error: OrlopError) => error.code);
  executor.run = (steps) => Promise.reject(new StepFailure(steps, 0, 16, ""));
  expect(await update()).toBe("update_failed");
  executor.run = () => Promise.reject(OrlopError.of("executor_lost", { reason: "somebody killed it" }));
  expect(await update()).toBe("executor_lost");
});

test("folders without a record are removed", async () => {
  const id = "f".repeat(64);
  const container = await create();
  const stray = join(directory, "state/containers", id);
  await Bun.write(join(stray, "log"), "x");
  await engine.close();
  await openEngine();
  await engine.close();
  const removed = executor.plans.flat().flatMap((step) => (step.op === "remove" ? [step.path] : []));
  expect(removed).toContain(stray);
  expect(removed.some((path) => path.includes(container.id))).toBe(false);
  expect(existsSync(container.places.dataDir)).toBe(true);
  await openEngine();
});

/** Runs one to its end, and gives its id. */
async function runOnce(body: Record<string, unknown> = transient): Promise<string> {
  const container = await create(body);
  await container.start();
  const removed = container.wait("removed", never);
  executor.monitors.at(-1)?.exit(0);
  await removed;
  return container.id;
}

const settled = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 10));

/** So many of a kind that the next one's start is begun. */
async function runSeveral(body?: Record<string, unknown>): Promise<void> {
  for (let run = 0; run < 2; run++) await runOnce(body);
  await settled();
}

test("when --rm containers of a kind follow each other, the next one's start is begun: its plan goes on where that ended", async () => {
  await runOnce();
  await settled();
  expect(executor.begun).toEqual([]); // one is no habit
  await runOnce();
  await settled();
  const [begun] = executor.begun;
  expect(begun?.beginning.at(-1)?.op).toBe("ready");

  const container = await create({ ...transient, Cmd: ["other"], Env: ["A=b"] });
  await container.start();
  const plan = executor.plans.findLast((steps) => steps.some(({ op }) => op === "exec")) ?? [];
  const done = begun?.beginning.length ?? 0;
  expect(begun?.calls).toEqual([`finish from ${done}`]);
  expect(plan.slice(0, done)).toEqual([...(begun?.beginning ?? [])]);
  const whole = Buffer.concat([begun?.bytes ?? new Uint8Array(), encodeRest(plan, done)]);
  expect(Buffer.compare(whole, encodePlan(plan))).toBe(0);
  expect(plan.find((step) => step.op === "exec")).toMatchObject({ argv: ["other"] });
  expect(JSON.stringify(begun?.beginning)).toContain(container.id);
  executor.monitors.at(-1)?.exit(0);
  await container.wait("removed", never);
});

test("what is ready is nobody's who asks for something else", async () => {
  await runSeveral();
  const { calls } = executor.begun[0] ?? expect.unreachable("nothing is ready");
  for (const HostConfig of [
    { AutoRemove: true, Memory: 2 ** 26 },
    { AutoRemove: true, Privileged: true },
    { AutoRemove: true, Binds: ["/proc:/proc/stat"] },
    { AutoRemove: false },
  ]) {
    await create({ HostConfig }).catch(() => undefined);
    expect(calls).toEqual([]);
  }
  await create({ ...transient, Hostname: "named" });
  expect(calls).toEqual([]);
  await runOnce({ ...transient, User: "7", WorkingDir: "/tmp", Labels: { a: "b" } }); // none of which is in the beginning
  expect(calls).toEqual([expect.stringMatching(/^finish/)]);
});

test("what is ready and not wanted goes, and its folders with it", async () => {
  const beginMonitor = executor.beginMonitor.bind(executor);
  let folder = "";
  executor.beginMonitor = async (beginning) => {
    folder = join(directory, "run/containers", /[0-9a-f]{64}/.exec(JSON.stringify(beginning))?.[0] ?? "");
    expect(existsSync(folder)).toBe(true);
    return beginMonitor(beginning);
  };
  patience.mockReturnValue(20);
  await runSeveral();
  const [begun] = executor.begun;
  await begun?.closed; // within the test's time
  const removed = () =>
    executor.plans.flat().filter((step) => step.op === "remove" && step.path.endsWith(basename(folder)));
  await waitUntil(() => removed().length === 2, 5000, "its folders are removed");
  expect(begun?.calls).toEqual(["withdraw"]);

  patience.mockReturnValue(600_000);
  await runSeveral();
  await engine.close();
  expect(executor.begun.at(-1)?.calls).toEqual(["withdraw"]);
  await openEngine();
});

test("what is ready and was killed is not used; where that shows too late the start is made anew", async () => {
  await runSeveral();
  executor.begun[0]?.die();
  await settled();
  await runOnce();
  expect(executor.begun[0]?.calls).not.toContain(expect.stringMatching(/^finish/));

  await runSeveral();
  const those = [...executor.begun];
  for (const begun of those)
    begun.onFinish = () => {
      throw OrlopError.of("executor_lost", { reason: "it was killed" });
    };
  const id = await runOnce();
  expect(those.filter(({ beginning }) => JSON.stringify(beginning).includes(id))).toHaveLength(1);
});

test("a root that is another directory by now, or has other accounts, is not the one that is ready", async () => {
  const Rootfs = join(directory, "rootfs");
  const body = { Image: "", HostConfig: { AutoRemove: true, Rootfs } };
  const makeRoot = (): void => void mkdirSync(join(Rootfs, "etc"), { recursive: true });
  const changes = [
    () => writeFileSync(join(Rootfs, "etc/passwd"), "root:x:0:0:root:/elsewhere:/bin/sh\n"),
    () => {
      renameSync(Rootfs, `${Rootfs}.old`);
      makeRoot();
    },
  ];
  makeRoot();
  for (const change of changes) {
    await runSeveral(body);
    const unused = executor.begun.filter(({ calls }) => calls.length === 0);
    const made = executor.begun.length;
    change();
    await runOnce(body);
    await settled();
    expect(unused[0]?.calls).toEqual(["withdraw"]);
    for (let run = 0; run < 6; run++) await runOnce(body); // those of the root as it is are made meanwhile, and used
    const isFinished = ({ calls }: { readonly calls: readonly string[] }) =>
      calls.some((call) => call.startsWith("finish"));
    expect(unused.some(isFinished)).toBe(false);
    expect(executor.begun.slice(made).some(isFinished)).toBe(true);
  }
});
