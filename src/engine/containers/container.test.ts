/** A container's life on a recording executor. */

import { expect, jest, spyOn, test } from "bun:test";
import { PassThrough } from "node:stream";
import { waitUntil } from "../../../test/wait-until.ts";
import { OrlopError } from "../../base/errors.ts";
import { StepFailure } from "../../kernel/executor.ts";
import { parseContainerUpdate } from "../../spec/engine-api-update.ts";
import { DurableStore } from "../../store/durable-store.ts";
import { EngineFixture, never, nextTurn, transient } from "./fixture-containers.ts";

const fixture = new EngineFixture();
const { create, monitor } = fixture;
const toOutput = { stdin: false, stdout: true, stderr: true, logs: false, stream: true, detachKeys: [] };

test("created, running, exited: each state knows what can be done in it", async () => {
  fixture.executor.pid = process.pid; // one that is there
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
  expect(fixture.executor.monitors).toHaveLength(2);
});

test("a name is taken at once, and free again after the removal", async () => {
  const first = await create({}, "web");
  await expect(create({}, "web")).rejects.toThrow('The container name "/web" is already in use');
  expect(fixture.engine.containers.get("web")).toBe(first);
  expect(fixture.engine.containers.get(first.id.slice(0, 6))).toBe(first);
  await first.remove(false);
  expect(() => fixture.engine.containers.get("web")).toThrow("No such container: web");
  await create({}, "web");
});

test.each(["x", "-a", "a b", "../a"])("%j is no name", async (name) => {
  await expect(create({}, name)).rejects.toThrow("Invalid container name");
});

test("a request that cannot be carried out leaves nothing behind", async () => {
  await expect(create({ User: "nobody-at-all" }, "web")).rejects.toThrow("unable to find user nobody-at-all");
  await expect(create({ Image: "alpine" })).rejects.toThrow("No such image: alpine:latest");
  expect(fixture.engine.containers.all()).toEqual([]);
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
  expect(fixture.engine.containers.all()).toEqual([]);
});

/** Plans that clear groups away: how many each. */
const clearings = () =>
  fixture.executor.plans
    .map((steps) => steps.filter(({ op }) => op === "kill-group").length)
    .filter((count) => count > 0);

test("what several containers' runs leave goes in one plan; a start that waits for it has it go at once", async () => {
  const containers = [await create(), await create()];
  for (const container of containers) await container.start();
  jest.useFakeTimers(); // none fires by itself
  try {
    const exits = containers.map((container) => container.wait("next-exit", never));
    for (const one of fixture.executor.monitors) one.exit(0);
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
  expect(fixture.engine.containers.all()).toEqual([]);
});

test("a start that fails is told in Docker's words; a --rm container goes with it", async () => {
  for (const body of [{}, transient]) {
    fixture.executor.onRun = (steps) => {
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
    fixture.executor.onRun = () => new Map();
  }
  const [left, ...others] = fixture.engine.containers.all();
  expect(others).toEqual([]);
  expect(left?.run).toMatchObject({ status: "created", exitCode: 127 });
});

test("a removal that is on the disk at the same moment as the end is told behind it", async () => {
  const container = await create();
  await container.start();
  const told: string[] = [];
  const publish = spyOn(fixture.engine.events, "publish").mockImplementation(({ action }) => void told.push(action));
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
  expect(fixture.executor.plans.flat().some((step) => step.op === "kill-group")).toBe(true);
});

test("one whose monitor died has not ended before its processes are killed", async () => {
  const container = await create();
  await container.start();
  fixture.executor.onRun = (steps) => {
    if (steps.some(({ op }) => op === "kill-group"))
      throw OrlopError.of("executor_lost", { reason: "nobody is there" });
    return new Map();
  };
  const exit = container.wait("next-exit", never);
  monitor().fail(OrlopError.of("executor_lost", { reason: "it was killed" }));
  await Bun.sleep(50);
  expect(container.isRunning).toBe(true);
  fixture.executor.onRun = () => new Map();
  expect(await exit).toMatchObject({ status: "exited", exitCode: 137 });
});

test("a client that came before the start is connected before the program runs", async () => {
  const container = await create();
  const order: string[] = [];
  const side = new PassThrough();
  fixture.executor.onAttach = () => {
    order.push(`attach, calls so far: ${monitor().calls.join()}`);
    return side;
  };
  const client = new PassThrough();
  const attached = (await container.attach(toOutput)).enter(client);
  await container.start();
  expect(order).toEqual(["attach, calls so far: "]);
  expect(monitor().calls[0]).toBe("go");
  side.end();
  await attached;
});

test("a client of a running container is attached before it is told so, and has what is written until it enters", async () => {
  const container = await create();
  await container.start();
  const [side, client] = [new PassThrough(), new PassThrough()];
  fixture.executor.onAttach = () => side;
  const { enter } = await container.attach(toOutput);
  side.end("the last line");
  const entered = enter(client);
  expect(String(await client.toArray())).toBe("the last line");
  await entered;
  const unused = new PassThrough();
  fixture.executor.onAttach = () => unused;
  (await container.attach(toOutput)).drop();
  expect(unused.destroyed).toBe(true);
});

test("who waits hears of the end behind the output", async () => {
  const container = await create();
  const [side, client] = [new PassThrough(), new PassThrough()];
  fixture.executor.onAttach = () => side;
  void (await container.attach(toOutput)).enter(client);
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
  expect(fixture.executor.monitors).toHaveLength(1);
  await nextTurn();
  expect(monitor().calls).toContain("signal 10");
  monitor().exit(0);
  expect(await stopped).toBe(true);
  expect(await started).toBe(true);
  expect(fixture.executor.monitors).toHaveLength(2);
});

test("a waiter that leaves is forgotten", async () => {
  const container = await create();
  await container.start();
  const leaving = new AbortController();
  const wait = container.wait("next-exit", leaving.signal);
  leaving.abort(new Error("left"));
  await expect(wait).rejects.toThrow("left");
});

test("a change that a --rm container's end overtakes does not write it down again", async () => {
  const container = await create(transient, "once");
  await container.start();
  const removed = container.wait("removed", never);
  fixture.executor.run = async () => {
    monitor().exit(0);
    await removed;
    return new Map();
  };
  const failure = await container.changes.update(parseContainerUpdate({ Memory: 2 ** 26 })).then(
    () => undefined,
    (error: Error) => error.message,
  );
  expect(failure).toBe(`No such container: ${container.id}`);
  await fixture.engine.close();
  await fixture.open();
  expect(fixture.engine.containers.all()).toEqual([]);
});

test("new limits that the kernel refuses are a conflict, those whose task was killed are not", async () => {
  const container = await create();
  await container.start();
  const update = () =>
    container.changes.update(parseContainerUpdate({ Memory: 2 ** 26 })).catch((error: OrlopError) => error.code);
  fixture.executor.run = (steps) => Promise.reject(new StepFailure(steps, 0, 16, ""));
  expect(await update()).toBe("update_failed");
  fixture.executor.run = () => Promise.reject(OrlopError.of("executor_lost", { reason: "somebody killed it" }));
  expect(await update()).toBe("executor_lost");
});
