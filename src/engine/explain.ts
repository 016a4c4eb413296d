/** A start's plan for people: each step, who carries it out, the system calls it becomes, and its own reason. */

import { explainStep } from "../kernel/explain.ts";
import type { Step } from "../kernel/step.ts";

export interface ExplainedStep {
  /** host: in the monitor, before and after the container's process exists. container: in that process. */
  readonly side: "host" | "container";
  readonly op: string;
  readonly why: string;
  readonly calls: readonly string[];
}

export function explainStart(steps: readonly Step[]): ExplainedStep[] {
  const at = steps.findIndex((step) => step.op === "spawn");
  const spawn = steps[at];
  const last = spawn?.op === "spawn" ? at + Number(spawn.steps) : -1;
  return steps.map((step, index) => ({
    side: index > at && index <= last ? "container" : "host",
    op: step.op,
    why: step.why,
    calls: explainStep(step),
  }));
}
