/** 125, 126, 127: by the messages that engines use. */
import { expect, test } from "bun:test";
import { EngineError } from "../client/engine-error.ts";
import { exitCodeOf, StartFailure, startExitCode } from "./exit-code.ts";

test.each([
  ['exec: "nothere": executable file not found in $PATH: unknown', 127],
  ['exec: "/no/such": stat /no/such: no such file or directory: unknown', 127],
  ['exec: "/etc/passwd": permission denied: unknown', 126],
  ['exec: "/etc": is a directory: unknown', 126],
  ["failed to mount: operation not permitted", 125],
])("a start that failed with %j is %d", (message, code) => {
  expect(startExitCode(new StartFailure(new EngineError(400, message)), 125)).toBe(code);
});

test("what our own connection says is no word of the container's", () => {
  expect(startExitCode(new StartFailure(new Error("connect: no such file or directory")), 125)).toBe(125);
});

test("a container's exit code is the command's; left running is 0", () => {
  expect(exitCodeOf({ kind: "exited", exit: { StatusCode: 137 } })).toBe(137);
  expect(exitCodeOf({ kind: "detached" })).toBe(0);
});
