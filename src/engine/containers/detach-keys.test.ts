/** Detach keys, however the bytes are cut. */

import { expect, test } from "bun:test";
import { DetachScanner, defaultDetachKeys, parseDetachKeys } from "./detach-keys.ts";

test.each([
  ["ctrl-p,ctrl-q", [0x10, 0x11]],
  ["ctrl-@", [0]],
  ["ctrl-[,a", [0x1b, 0x61]],
])("%s", (text, keys) => {
  expect(parseDetachKeys(text)).toEqual(keys);
});

test.each(["", "ctrl-", "ctrl-1", "ab", "a,,b"])("%j is refused", (text) => {
  expect(() => parseDetachKeys(text)).toThrow("Invalid escape keys");
});

/** Everything that went through, and whether the keys were found. */
function run(keys: readonly number[], ...chunks: readonly (readonly number[])[]) {
  const scanner = new DetachScanner(keys);
  const results = chunks.map((chunk) => scanner.scan(Uint8Array.from(chunk)));
  return {
    passed: results.flatMap((result) => [...result.passed]),
    detached: results.some((result) => result.detached),
  };
}

test("the keys are not passed on, nor is what follows them", () => {
  expect(run(defaultDetachKeys, [1, 2, 0x10, 0x11, 3])).toEqual({ passed: [1, 2], detached: true });
});

test("they are found across chunks", () => {
  expect(run(defaultDetachKeys, [1, 0x10], [0x11])).toEqual({ passed: [1], detached: true });
});

test("a beginning that was none is passed on", () => {
  expect(run(defaultDetachKeys, [0x10], [5, 0x10, 0x10, 0x11])).toEqual({ passed: [0x10, 5, 0x10], detached: true });
});

test("keys that repeat are found where they overlap", () => {
  expect(run([1, 1, 2], [1, 1, 1, 2])).toEqual({ passed: [1], detached: true });
});
