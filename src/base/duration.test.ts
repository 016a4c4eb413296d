/** Durations: what is read, what is refused, how ages are told. */
import { expect, test } from "bun:test";
import { formatAge, formatDuration, parseDuration } from "./duration.ts";

test.each([
  ["0", 0],
  ["10s", 10_000],
  ["1m30s", 90_000],
  ["1h", 3_600_000],
  ["1.5s", 1500],
  ["300ms", 300],
  ["2us", 0.002],
  ["-5s", -5000],
])("%s is %d ms", (text, durationMs) => {
  expect(parseDuration(text, "--since")).toBeCloseTo(durationMs, 9);
});

test.each(["", "10", "s", "1 s", "1d", "1s2", "s1"])("%j is no duration", (text) => {
  expect(() => parseDuration(text, "--since")).toThrow(`invalid --since ${JSON.stringify(text)}`);
});

test.each([
  [0, "Less than a second"],
  [1000, "1 second"],
  [61_000, "1 minute"],
  [7_200_000, "2 hours"],
  [100_000_000, "27 hours"],
  [200_000_000, "2 days"],
  [1_300_000_000, "2 weeks"],
])("%d ms ago is %s", (ageMs, text) => {
  expect(formatAge(ageMs)).toBe(text);
});

test.each([
  [1, "1ms"],
  [999, "999ms"],
  [1500, "1.5s"],
  [60_000, "1m0s"],
  [5_430_000, "1h30m30s"],
])("%d ms is written %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
