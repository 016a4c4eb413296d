import { expect, test } from "bun:test";
import { StepFailure } from "../../kernel/executor.ts";
import type { Step } from "../../kernel/step.ts";
import type { RuntimeSpec } from "../../spec/runtime-spec.ts";
import { explainFailure } from "./start-failure.ts";

const steps: readonly Step[] = [
  { op: "spawn", flags: 0, group: "", steps: 1, why: "a process" },
  { op: "continue", steps: 1, why: "more of it" },
];

test.each([
  [0, 3, "executor_lost"],
  [0, 11, "step_failed"],
  [1, 104, "executor_lost"],
  [1, 32, "executor_lost"],
  [1, 5, "step_failed"],
] as const)("step %d with errno %d is %s: a new process that somebody kills is lost", (index, errno, code) => {
  expect(explainFailure(new StepFailure(steps, index, errno, ""), undefined).error.code).toBe(code);
});

test.each([
  ["/run.sh", "stat /run.sh: no such file or directory: unknown: or it is there, and the interpreter that its #! line"],
  ["--name", "executable file not found in $PATH: unknown: flags stand before the name of the image"],
  ["nothere", 'exec: "nothere": executable file not found in $PATH: unknown'],
])("%s is not found: what beginners meet there is said", (command, said) => {
  const spec = { process: { args: [command] } } as unknown as RuntimeSpec;
  const exec: Step = { op: "exec", path: command, why: "the program" } as unknown as Step;
  const { error, exitCode } = explainFailure(new StepFailure([exec], 0, 2, ""), spec);
  expect(exitCode).toBe(127);
  expect(error.message).toContain(said);
});

test("a name that is simply not there gets no advice", () => {
  const spec = { process: { args: ["nothere"] } } as unknown as RuntimeSpec;
  const exec = { op: "exec", why: "the program" } as unknown as Step;
  expect(explainFailure(new StepFailure([exec], 0, 2, ""), spec).error.message).toEndWith("$PATH: unknown");
});
