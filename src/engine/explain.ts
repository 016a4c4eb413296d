/** Plans, explained: each step with the process that carries it out, its system calls and its reason. */

import { explainStep, sidesOf } from "../kernel/explain.ts";
import type { Step } from "../kernel/step.ts";
import type { ForeseenNetworks } from "./networks/network-foresee.ts";

export interface ExplainedStep {
  /**
   * Who carries it out. network: tasks before the others. host: the monitor, before and after the container's process exists.
   * container: the container's process.
   */
  readonly side: "network" | "host" | "container";
  readonly op: string;
  readonly why: string;
  readonly calls: readonly string[];
}

export interface Explained {
  readonly steps: readonly ExplainedStep[];
  /** What no step says, in sentences. */
  readonly warnings: readonly string[];
}

/** A plan that begins no container. @param notes what no step says */
export function explainSteps(steps: readonly Step[], notes: readonly string[] = []): Explained {
  const sides = sidesOf(steps);
  return { steps: steps.map((step, index) => explained(step, sides[index] ?? "host")), warnings: notes };
}

export function explainStart(steps: readonly Step[], networks: ForeseenNetworks): ExplainedStep[] {
  return [
    ...networks.passages.rules.map(({ op, why, rules }) => ({ side: "network", op, why, calls: rules }) as const),
    ...networks.steps.map((step) => explained(step, "network")),
    ...explainSteps(steps).steps,
  ];
}

function explained(step: Step, side: ExplainedStep["side"]): ExplainedStep {
  return { side, op: step.op, why: step.why, calls: explainStep(step) };
}
