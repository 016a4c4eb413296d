import { expect, test } from "bun:test";
import { constants } from "node:os";
import { parseSignal, signalName } from "./signals.ts";

test("names and numbers are the machine's own", () => {
  for (const [name, number] of Object.entries(constants.signals))
    expect([name, parseSignal(name)]).toEqual([name, number]);
});

test.each([
  ["SIGTERM", 15],
  ["TERM", 15],
  ["term", 15],
  ["sigkill", 9],
  ["15", 15],
  ["64", 64],
  ["32", 32],
  ["RTMIN", 34],
  ["SIGRTMIN+3", 37],
  ["RTMIN+30", 64],
  ["SIGRTMAX-1", 63],
  ["RTMAX", 64],
  ["SIGIOT", 6],
  ["CLD", 17],
])("%s is %d", (written, number) => {
  expect(parseSignal(written)).toBe(number);
});

test.each([
  "",
  "0",
  "65",
  "-1",
  "1.5",
  "SIG",
  "SIGSIGTERM",
  "FOO",
  "RTMIN-1",
  "RTMAX+1",
  "RTMIN+31",
  "RTMIN+",
  " TERM",
  "1e1",
])("%j is no signal", (written) => {
  expect(() => parseSignal(written)).toThrow(`invalid signal: ${written}: expected a name such as SIGTERM`);
});

test("each number has a name that is read back; the C library's own two have none", () => {
  for (let number = 1; number <= 64; number++) expect(parseSignal(signalName(number))).toBe(number);
  expect([signalName(15), signalName(36), signalName(63), signalName(33)]).toEqual([
    "SIGTERM",
    "SIGRTMIN+2",
    "SIGRTMAX-1",
    "33",
  ]);
});
