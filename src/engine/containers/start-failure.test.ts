import { expect, test } from "bun:test";
import { StepFailure } from "../../kernel/executor.ts";
import type { Step } from "../../kernel/step.ts";
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
