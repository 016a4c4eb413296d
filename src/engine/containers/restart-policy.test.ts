/** Docker's restart rules. */

import { expect, test } from "bun:test";
import { neverRun } from "./container-record.ts";
import { afterEnd, noRestarts, type RestartState, restartsAfterBoot } from "./restart-policy.ts";

const run = (exitCode: number, seconds = 1) => ({
  ...neverRun,
  status: "exited" as const,
  startedNs: "1000000000",
  endedNs: String(1_000_000_000n + BigInt(seconds) * 1_000_000_000n),
  exitCode,
});
const policy = (Name: "no" | "always" | "on-failure" | "unless-stopped", MaximumRetryCount = 0) => ({
  Name,
  MaximumRetryCount,
});
const after = (count: number): RestartState => ({ ...noRestarts, count });
const stopped: RestartState = { ...noRestarts, isStopped: true };

test.each([
  [policy("no"), noRestarts, 1, false],
  [policy("always"), noRestarts, 0, true],
  [policy("always"), stopped, 0, false],
  [policy("unless-stopped"), noRestarts, 0, true],
  [policy("unless-stopped"), stopped, 0, false],
  [policy("on-failure"), noRestarts, 0, false],
  [policy("on-failure"), noRestarts, 3, true],
  [policy("on-failure"), after(1000), 3, true],
  [policy("on-failure", 2), after(1), 3, true],
  [policy("on-failure", 2), after(2), 3, false],
])("%j after %j and exit code %d: %p", (given, before, exitCode, restarts) => {
  expect(afterEnd(given, before, run(exitCode)).isWaiting).toBe(restarts);
});

test("the delay doubles from 100 ms to a minute; ten seconds of running make it short again", () => {
  let state = noRestarts;
  const delays: number[] = [];
  for (let i = 0; i < 12; i++) {
    state = afterEnd(policy("always"), state, run(1));
    delays.push(state.delayMs);
  }
  expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
  expect(state.count).toBe(12);
  expect(afterEnd(policy("always"), state, run(1, 10)).delayMs).toBe(100);
});

test("what comes back when the machine was started", () => {
  expect(restartsAfterBoot(policy("always"), stopped, run(0))).toBe(true);
  expect(restartsAfterBoot(policy("unless-stopped"), stopped, run(0))).toBe(false);
  expect(restartsAfterBoot(policy("unless-stopped"), noRestarts, run(0))).toBe(true);
  expect(restartsAfterBoot(policy("on-failure"), noRestarts, run(1))).toBe(false);
  expect(restartsAfterBoot(policy("always"), noRestarts, neverRun)).toBe(false);
});
