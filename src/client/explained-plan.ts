/** A container's start as a plan, as `POST /orlop/explain` answers it. */

export interface ExplainedStep {
  /** Who carries it out: the executor before and beside the container, or the container's own first process. */
  readonly side: "host" | "container";
  /** The step's name, e.g. "root-mount". */
  readonly op: string;
  /** Why it is in this plan. */
  readonly why: string;
  /** The system calls that it becomes, in order. */
  readonly calls: readonly string[];
}

export interface ExplainedPlan {
  readonly steps: readonly ExplainedStep[];
}
