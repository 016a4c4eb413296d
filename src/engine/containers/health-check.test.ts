/** What probes make of a container's health. */

import { expect, test } from "bun:test";
import { parseContainerCreate } from "../../spec/engine-api-container.ts";
import { afterProbe, type Health, healthCheckOf, nextProbeMs, notProbed } from "./health-check.ts";

const checkOf = (Healthcheck: unknown, more: object = {}) =>
  healthCheckOf(parseContainerCreate({ Healthcheck, ...more }));
const seconds = (count: number) => count * 1_000_000_000;

test.each([
  [undefined, undefined],
  [{ Test: [] }, undefined],
  [{ Test: ["NONE"] }, undefined],
  [{ Test: ["CMD", "a", "b c"] }, ["a", "b c"]],
  [{ Test: ["CMD-SHELL", "a b"] }, ["/bin/sh", "-c", "a b"]],
])("%j runs %j", (given, command) => {
  expect(checkOf(given)?.command).toEqual(command);
});

test("the image's shell runs it; what is not said is Docker's default", () => {
  expect(checkOf({ Test: ["CMD-SHELL", "a"] }, { Shell: ["/bin/ash", "-c"] })).toEqual({
    command: ["/bin/ash", "-c", "a"],
    intervalMs: 30_000,
    timeoutMs: 30_000,
    startPeriodMs: 0,
    startIntervalMs: 5000,
    retries: 3,
  });
});

test.each([
  { Test: ["CMD"] },
  { Test: ["CMD-SHELL", "a", "b"] },
  { Test: ["SOMETHING", "a"] },
  { Test: ["NONE", "a"] },
  { Test: ["CMD", "a"], Interval: 999_999 },
  { Test: ["CMD", "a"], Retries: -1 },
  { Test: ["CMD", "a"], Timeout: -5 },
])("%j is refused", (given) => {
  expect(() => checkOf(given)).toThrow("invalid Healthcheck");
});

const check =
  checkOf({ Test: ["CMD", "a"], Interval: seconds(10), StartPeriod: seconds(20), Retries: 2 }) ?? expect.unreachable();
const probe = (atSeconds: number, exitCode: number) => ({
  startedMs: atSeconds * 1000,
  endedMs: atSeconds * 1000 + 5,
  exitCode,
  output: "",
});
const follow = (probes: readonly (readonly [at: number, exitCode: number])[]): Health =>
  probes.reduce((health, [at, exitCode]) => afterProbe(check, health, probe(at, exitCode), 0), notProbed);

test("one success makes it healthy, so many failures in a row unhealthy, and a success healthy again", () => {
  expect(follow([[0, 0]]).status).toBe("healthy");
  expect(
    follow([
      [0, 0],
      [10, 1],
    ]),
  ).toMatchObject({ status: "healthy", failingStreak: 1 });
  expect(
    follow([
      [0, 0],
      [10, 1],
      [20, 1],
    ]),
  ).toMatchObject({ status: "unhealthy", failingStreak: 2 });
  expect(
    follow([
      [0, 0],
      [10, 1],
      [20, 1],
      [30, 0],
    ]),
  ).toMatchObject({ status: "healthy", failingStreak: 0 });
});

test("failures in the start period do not count, and quick ones no sooner than an interval after the last", () => {
  expect(
    follow([
      [0, 1],
      [1, 1],
      [19, 1],
    ]),
  ).toMatchObject({ status: "starting", failingStreak: 0 });
  expect(
    follow([
      [0, 1],
      [21, 1],
      [22, 1],
      [25, 1],
    ]),
  ).toMatchObject({ status: "starting", failingStreak: 1 });
  expect(
    follow([
      [21, 1],
      [31, 1],
    ]),
  ).toMatchObject({ status: "unhealthy", failingStreak: 2 });
});

test("probes come at once, then quickly, then at their interval", () => {
  let health = notProbed;
  const delays: number[] = [];
  for (let i = 0; i < 9; i++) {
    delays.push(nextProbeMs(check, health));
    health = afterProbe(check, health, probe(0, 1), 0);
  }
  expect(delays).toEqual([0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  expect(nextProbeMs(check, afterProbe(check, health, probe(1, 0), 0))).toBe(10_000);
});

test("the last five are kept", () => {
  const { log } = follow(Array.from({ length: 9 }, (_, i) => [i, i] as const));
  expect(log.map(({ exitCode }) => exitCode)).toEqual([4, 5, 6, 7, 8]);
});
