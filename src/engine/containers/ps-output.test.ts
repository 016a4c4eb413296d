/** ps's lines, and whose they are. */

import { expect, test } from "bun:test";
import { parsePsOutput } from "./ps-output.ts";

test("only the container's processes are told, the last column with its blanks", () => {
  const output = "  PID TTY   CMD\n    7 ?     a  b c\n   70 ?     another's\n    8 pts/1 \n";
  expect(parsePsOutput(output, [7, 8])).toEqual({
    titles: ["PID", "TTY", "CMD"],
    processes: [
      ["7", "?", "a b c"],
      ["8", "pts/1", ""],
    ],
  });
});

test("a thread's line is its process's", () => {
  const output = "PID LWP CMD\n7 - one\n- 7 -\n- 9 -\n70 - two\n- 70 -\n";
  expect(parsePsOutput(output, [7]).processes).toEqual([
    ["7", "-", "one"],
    ["-", "7", "-"],
    ["-", "9", "-"],
  ]);
});

test.each(["", "    7 ?  a\n", "UID CMD\n0 PID\n"])("%j has no column PID", (output) => {
  expect(() => parsePsOutput(output, [7])).toThrow("Couldn't find PID field in ps output");
});
