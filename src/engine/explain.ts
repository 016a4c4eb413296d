/** A start's plan for people: each step, who carries it out, the system calls it becomes, and its own reason. */

import { explainStep, sidesOf } from "../kernel/explain.ts";
import type { Step } from "../kernel/step.ts";

export interface ExplainedStep {
  /** host: in the monitor, before and after the container's process exists. container: in that process. */
  readonly side: "host" | "container";
  readonly op: string;
  readonly why: string;
  readonly calls: readonly string[];
}

export function explainStart(steps: readonly Step[]): ExplainedStep[] {
  const sides = sidesOf(steps);
  return steps.map((step, index) => ({
    side: sides[index] ?? "host",
    op: step.op,
    why: step.why,
    calls: explainStep(step),
  }));
}
