/** Points in time, as people and scripts write them. */
import { expect, test } from "bun:test";
import { parseTime } from "./point-in-time.ts";

const now = Date.UTC(2026, 0, 31, 12, 0, 0);

test.each([
  ["1700000000", "1700000000"],
  ["1700000000.5", "1700000000.5"],
  ["10m", (now / 1000 - 600).toFixed(9)],
  ["2026-01-31T12:00:00Z", (now / 1000).toFixed(9)],
  ["2026-01-31T13:00:00+01:00", (now / 1000).toFixed(9)],
  ["2026-01-31T12:00:00.250Z", (now / 1000 + 0.25).toFixed(9)],
])("%s is %s", (text, seconds) => {
  expect(parseTime(text, "--since", now)).toBe(seconds);
});

test("without a zone it is local time; seconds, minutes and the time may be left out", () => {
  const local = (...parts: [number, number, number, number?, number?]) =>
    (new Date(...parts).getTime() / 1000).toFixed(9);
  expect(parseTime("2026-01-31", "--since", now)).toBe(local(2026, 0, 31));
  expect(parseTime("2026-01-31T08", "--since", now)).toBe(local(2026, 0, 31, 8));
  expect(parseTime("2026-01-31T08:30", "--since", now)).toBe(local(2026, 0, 31, 8, 30));
});

test.each(["", "yesterday", "31.1.2026", "2026-13-01", "10 minutes"])("%j is no time", (text) => {
  expect(() => parseTime(text, "--since", now)).toThrow(`invalid --since ${JSON.stringify(text)}`);
});
