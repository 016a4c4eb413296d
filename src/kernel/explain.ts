/** Each step as the system calls it becomes, for `orlop explain`: what strace would show, with flags by name. */

import { childExplanations } from "./explain-child.ts";
import { hostExplanations } from "./explain-host.ts";
import type { Explanations } from "./explain-words.ts";
import type { Step } from "./step.ts";

const explanations: Explanations = { ...hostExplanations, ...childExplanations };

/** The system calls that this step becomes, in order. */
export function explainStep(step: Step): readonly string[] {
  const explain = explanations[step.op] as (step: Step) => readonly string[];
  return explain(step);
}

/** Who carries out each step: the task, which becomes the monitor, or its child, which has the steps after `spawn` and `continue`. */
export function sidesOf(steps: readonly Step[]): readonly ("host" | "container")[] {
  let left = 0;
  return steps.map((step) => {
    if (step.op === "spawn" || step.op === "continue") left = Number(step.steps);
    else if (left-- > 0) return "container";
    return "host";
  });
}

/** A whole plan as text: `op` and its reason, then its system calls, indented. The child's parts are marked. */
export function explainPlan(steps: readonly Step[]): string {
  const sides = sidesOf(steps);
  const headings = { host: "host side\n", container: "the container's process\n" };
  const isSpawning = sides.includes("container");
  return steps
    .map((step, index) => {
      const side = sides[index] ?? "host";
      const heading = isSpawning && side !== sides[index - 1] ? headings[side] : "";
      const calls = explainStep(step).map((call) => `      ${call}\n`);
      return `${heading}  ${step.op}: ${step.why}\n${calls.join("")}`;
    })
    .join("");
}
