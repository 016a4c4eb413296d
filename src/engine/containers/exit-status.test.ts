/** Wait statuses and exit records. */

import { expect, test } from "bun:test";
import { exitStatusOf, parseExitRecord } from "./exit-status.ts";

test.each([
  [0, 0, 0],
  [3 << 8, 3, 0],
  [255 << 8, 255, 0],
  [9, 137, 9],
  [15 | 0x80, 143, 15], // with a core dump
])("wait status %d is exit code %d by signal %d", (status, exitCode, signal) => {
  expect(exitStatusOf(status)).toEqual({ exitCode, signal });
});

test("an exit record is read whole or not at all", () => {
  expect(parseExitRecord("status=256 ended=1700000000000000001\n")).toEqual({
    status: 256,
    endedNs: 1700000000000000001n,
  });
  expect(parseExitRecord("status=256 ended=17000000000")).toBeUndefined();
  expect(parseExitRecord("")).toBeUndefined();
});
