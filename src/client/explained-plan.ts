/** A container's start as a plan, as `POST /orlop/explain` answers it. */

export interface ExplainedStep {
  /** Who carries it out: processes that make its networks, the executor before and beside it, or its own first process. */
  readonly side: "network" | "host" | "container";
  /** The step's name, e.g. "root-mount". */
  readonly op: string;
  /** Why it is in this plan. */
  readonly why: string;
  /** The system calls that it becomes, in order. */
  readonly calls: readonly string[];
}

export interface ExplainedPlan {
  readonly steps: readonly ExplainedStep[];
  /** What is otherwise than asked for, or in the way. */
  readonly warnings: readonly string[];
}
