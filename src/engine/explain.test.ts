/** What is explained is what is carried out: the plans that the executor then gets. */

import { expect, test } from "bun:test";
import { waitUntil } from "../../test/wait-until.ts";
import { parseExecCreate } from "../spec/engine-api-exec.ts";
import { EngineFixture } from "./containers/fixture-containers.ts";

const fixture = new EngineFixture();
const waitMs = 10_000;
const withoutIds = (steps: unknown): string => JSON.stringify(steps, plain).replaceAll(/[0-9a-f]{64}/g, "ID");

function plain(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

test("an exec, a pause and a stop", async () => {
  fixture.executor.pid = process.pid; // one whose /proc can be read
  const container = await fixture.create({ StopSignal: "SIGINT", StopTimeout: 3 });
  expect(() => container.foreseeStop()).toThrow("is not running");
  await container.start();
  const body = parseExecCreate({ Cmd: ["ls"], AttachStdout: true, Env: ["A=1"] });
  const foreseen = withoutIds(container.execs.foresee(body));
  const { freeze, thaw } = container.foreseePause();
  const stop = container.foreseeStop(undefined, undefined);
  expect(container.execs.ids()).toEqual([]);
  const isCarriedOut = (steps: string): boolean => fixture.executor.plans.some((plan) => withoutIds(plan) === steps);
  expect(isCarriedOut(foreseen)).toBe(false);

  const exec = container.execs.create(body);
  exec.claim();
  await exec.start();
  // its streams are the client's, where one is there
  expect(foreseen.replace(/"streams":\d+/, "")).toBe(
    withoutIds(fixture.executor.plans.at(-1)).replace(/"streams":\d+/, ""),
  );
  await container.pause();
  expect(isCarriedOut(withoutIds(freeze))).toBe(true);
  await container.unpause();
  expect(isCarriedOut(withoutIds(thaw))).toBe(true);

  expect(stop).toMatchObject({ pid: process.pid, signal: 2, seconds: 3 });
  expect(stop.steps.length).toBeGreaterThan(0);
  fixture.monitor(0).exit(0);
  await waitUntil(() => isCarriedOut(withoutIds(stop.steps)), waitMs, "what is left is cleared away");
});
