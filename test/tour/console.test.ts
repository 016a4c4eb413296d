/** How a document's console is read. */

import { expect, test } from "bun:test";
import { matches, parseConsole } from "./console.ts";

test("commands, their further lines, and what they print", () => {
  const markdown = "text\n```console\n$ echo a\na\n$ cat <<E\n> b\n> E\nb\n```\n```sh\n$ not this\n```\n";
  expect(parseConsole(markdown)).toEqual([
    { command: "echo a", output: ["a"], line: 3 },
    { command: "cat <<E\nb\nE", output: ["b"], line: 5 },
  ]);
});

test.each([
  [["a b"], "a b\n", true],
  [["a …"], "a thing\n", true],
  [["a …"], "b thing\n", false],
  [["first", "…", "last"], "first\nx\ny\nlast\n", true],
  [["first", "…"], "first\n", true],
  [["a.b"], "axb\n", false],
  [[], "", true],
  [[], "said\n", false],
  [["a"], "a   ", true],
])("%j shows %j: %p", (shown, printed, expected) => {
  expect(matches(shown, printed)).toBe(expected);
});
