import { expect, test } from "bun:test";
import { isEnding } from "./process-facts.ts";

const stat = (state: string, flags = 0x400100) =>
  `7 (a (b) c) ${state} 1 7 7 0 -1 ${flags} 1 0 0 0 0 0 0 0 20 0 1 0 5 0 0`;
const status = (own: string, shared: string) =>
  `Name:\tsh\nSigPnd:\t${own}\nShdPnd:\t${shared}\nSigBlk:\t0000000000000100\n`;
const none = "0000000000000000";

test.each([
  ["runs", stat("R"), status(none, none), false],
  ["waits for a disk", stat("D"), status(none, none), false],
  ["has another signal before it", stat("S"), status(none, "0000000000000001"), false],
  ["was killed and waits for a disk", stat("D"), status(none, "0000000000000100"), true],
  ["was killed by its own number", stat("D"), status("0000000000000100", none), true],
  ["is being taken apart", stat("S", 0x400104), status(none, none), true],
  ["has ended", stat("Z", 0x40010c), status(none, none), true],
  ["is gone", "", "", true],
] as const)("one that %s", (_, ofStat, ofStatus, expected) => {
  expect(isEnding(ofStat, ofStatus)).toBe(expected);
});
