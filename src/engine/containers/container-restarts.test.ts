/** A container that comes back by its policy, on a recording executor. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitUntil } from "../../../test/wait-until.ts";
import { OrlopError } from "../../base/errors.ts";
import { StepFailure } from "../../kernel/executor.ts";
import { FakeExecutor, FakeMonitor } from "../../kernel/executor-fake.ts";
import { FakeNetd } from "../../kernel/netd-fake.ts";
import type { Step } from "../../kernel/step.ts";
import { parseContainerCreate } from "../../spec/engine-api-container.ts";
import { Engine } from "../engine.ts";
import type { Container } from "./container.ts";

const waitMs = 10_000;

let directory: string;
let executor: FakeExecutor;
let engine: Engine;

/** @param monitors of what an engine before this one began */
async function openEngine(netd = new FakeNetd(), monitors: readonly FakeMonitor[] = []): Promise<void> {
  executor = new FakeExecutor();
  executor.monitors.push(...monitors);
  const places = { runDir: join(directory, "run"), stateDir: join(directory, "state") };
  engine = await Engine.open({
    ...{ places, executor, netd },
    installRules: async () => undefined,
    watch: () => undefined,
  });
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "orlop-restarts-"));
  await openEngine();
});
afterEach(async () => {
  await engine.close();
  rmSync(directory, { recursive: true });
});

/** It runs, and comes back whatever it ends with. */
async function startLasting(): Promise<Container> {
  const HostConfig = { NetworkMode: "none", RestartPolicy: { Name: "always" } };
  const { container } = await engine.containers.create(
    parseContainerCreate({ Image: "host", Cmd: ["true"], HostConfig }),
    "lasting",
  );
  await container.start();
  return container;
}

/** So starts fail, until that is mended. */
function failStarts(failure: (steps: readonly Step[]) => Error): void {
  executor.onRun = (steps) => {
    if (steps.some(({ op }) => op === "listen")) throw failure(steps);
    return new Map();
  };
}

test("a start by its policy that was cut off is made again, and meanwhile it says why", async () => {
  const container = await startLasting();
  failStarts(() => OrlopError.of("executor_lost", { reason: "somebody killed it" }));
  executor.monitors[0]?.exit(0);
  await waitUntil(() => container.error.includes("somebody killed it"), waitMs, "it was cut off");
  expect(container.status).toBe("restarting");
  executor.onRun = () => new Map();
  await waitUntil(() => container.isRunning, waitMs, "it is made again");
  expect([container.error, executor.monitors.length]).toEqual(["", 2]);
});

test("who starts one that runs takes back that it was to stay stopped: a stop may have been cut off", async () => {
  executor.pid = process.pid; // one that is there
  const container = await startLasting();
  await container.kill("HUP"); // as Docker: whoever sends a signal decides about its end
  expect(await container.start()).toBe(false);
  executor.monitors[0]?.exit(0);
  await waitUntil(() => executor.monitors.length === 2 && container.isRunning, waitMs, "it comes back");
});

test("one whose start was cut off is not called stopped before what it left is ended", async () => {
  const container = await startLasting();
  executor.onRun = () => {
    throw OrlopError.of("executor_lost", { reason: "nobody is there" });
  };
  executor.monitors[0]?.exit(0);
  await waitUntil(() => container.error.includes("nobody is there"), waitMs, "it was cut off");
  expect(await container.stop().catch(({ code }: OrlopError) => code)).toBe("executor_lost");
  expect(await container.kill("KILL").catch(({ code }: OrlopError) => code)).toBe("executor_lost");
  executor.onRun = () => new Map();
  await waitUntil(() => container.isRunning, waitMs, "it comes back");
});

test("one that an engine started again by its policy, and died before it was written down, is stopped by a stop", async () => {
  const container = await startLasting();
  executor.monitors[0]?.exit(0);
  await waitUntil(() => container.status === "restarting", waitMs, "it waits");
  await engine.close();
  const begun = new FakeMonitor(process.pid, container.places.socket, new Map());
  begun.go();
  await openEngine(new FakeNetd(), [begun]);
  const found = engine.containers.get("lasting");
  expect([found.status, found.restarts.isWaiting]).toEqual(["running", false]);
  const stopped = found.stop();
  await waitUntil(() => begun.calls.includes("signal 15"), waitMs, "it is asked to end");
  begun.exit(0);
  expect([await stopped, found.status]).toEqual([true, "exited"]);
});

test.each([
  // errno, its name, whether the machine lacked something
  [28, "ENOSPC", true],
  [12, "ENOMEM", true],
  [24, "EMFILE", true],
  [2, "ENOENT", false],
  [22, "EINVAL", false],
] as const)("a start by its policy that fails with %d, %s: another one follows: %p", async (errno, name, follows) => {
  const container = await startLasting();
  failStarts((steps) => new StepFailure(steps, 0, errno, ""));
  executor.monitors[0]?.exit(0);
  await waitUntil(() => container.error.includes(name), waitMs, "it failed");
  expect([container.status, container.error.includes("; restart 1 by its policy always, after ")]).toEqual(
    follows ? ["restarting", true] : ["exited", false],
  );
});

test("none comes back before it is known what the last engine left", async () => {
  const container = await startLasting();
  executor.monitors[0]?.exit(0);
  await waitUntil(() => container.status === "restarting", waitMs, "it waits");
  await engine.close();
  let startedMeanwhile: number | undefined;
  const netd = new FakeNetd();
  netd.sync = async () => {
    await Bun.sleep(container.restarts.state.delayMs + 200); // its time comes
    startedMeanwhile = executor.monitors.length;
  };
  await openEngine(netd);
  expect(startedMeanwhile).toBe(0);
  await waitUntil(() => executor.monitors.length === 1, waitMs, "it comes back");
});
