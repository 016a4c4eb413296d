/** Detach keys: their notation, and how they are found in what is typed. */
import { expect, test } from "bun:test";
import { DetachScanner, defaultDetachKeys, parseDetachKeys } from "./detach-keys.ts";

test.each([
  ["ctrl-p,ctrl-q", [16, 17]],
  ["ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", [0, 27, 28, 29, 30, 31]],
  ["Ctrl-A,x", [1, 120]],
  ["", []],
])("%j is %p", (text, bytes) => {
  expect([...parseDetachKeys(text)]).toEqual(bytes);
});

test.each(["ctrl-", "ctrl-1", "ab", "a,,b", "é", "ctrl-pq"])("%j is no key", (text) => {
  expect(() => parseDetachKeys(text)).toThrow(`invalid --detach-keys ${JSON.stringify(text)}`);
});

/** What a scanner passes on of these pieces, and whether it detached. */
function scanned(...pieces: string[]): [string, boolean] {
  const scanner = new DetachScanner(parseDetachKeys(defaultDetachKeys));
  let passed = "";
  for (const piece of pieces) {
    const { pass, detach } = scanner.scan(new TextEncoder().encode(piece));
    passed += new TextDecoder().decode(pass);
    if (detach) return [passed, true];
  }
  return [passed, false];
}

test.each([
  ["nothing special", ["abc"], ["abc", false]],
  ["the keys", ["ab\x10\x11"], ["ab", true]],
  ["the keys in two reads", ["ab\x10", "\x11"], ["ab", true]],
  ["a first key that another key follows", ["\x10", "x"], ["\x10x", false]],
  ["the first key twice, then the second", ["\x10\x10\x11"], ["\x10", true]],
  ["a first key held back", ["a\x10"], ["a", false]],
  ["the second key alone", ["\x11"], ["\x11", false]],
  ["what follows is dropped", ["\x10\x11rest"], ["", true]],
] as const)("%s", (_name, pieces, expected) => {
  expect(scanned(...pieces)).toEqual([...expected]);
});
