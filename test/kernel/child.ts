/** Runs single steps for tests: on the host's side, or in a child that then runs a shell script. */

import { type OneShotResult, runOneShot } from "../../src/kernel/executor-one-shot.ts";
import { CLONE_NEWNS, MS_REC, MS_SLAVE } from "../../src/kernel/linux.ts";
import type { Step, StepName } from "../../src/kernel/step.ts";
import { executorPath } from "./harness.ts";

/** A step without its reason. */
export type Bare = { readonly [N in StepName]: Omit<Extract<Step, { op: N }>, "why"> }[StepName];

export type Environment = Readonly<Record<string, string>>;

/** Adds the reason, which is the same everywhere in a test. */
export function because(steps: readonly Bare[]): Step[] {
  return steps.map((step) => ({ ...step, why: "a test" }) as Step);
}

/** Carries steps out in one process. */
export function runSteps(steps: readonly Bare[], env: Environment = {}): Promise<OneShotResult> {
  return runOneShot(because(steps), { executable: executorPath, env });
}

export interface Child {
  /** CLONE_NEW*. */
  readonly flags?: number;
  /** Host side, before the child. */
  readonly before?: readonly Bare[];
  /** cgroup v2 directory to be cloned into. */
  readonly group?: string;
  /** The child's. */
  readonly steps?: readonly Bare[];
  /** Host side, once the child exists. */
  readonly after?: readonly Bare[];
  /** What it runs, with sh -c; or a command. */
  readonly run: string | readonly string[];
  readonly env?: Environment;
}

export interface ChildResult {
  readonly output: string;
  /** As waitpid(2) gives it. */
  readonly status: number;
}

/** Runs a child to its end. */
export async function runChild(child: Child): Promise<ChildResult> {
  const argv = typeof child.run === "string" ? ["/bin/sh", "-c", child.run] : child.run;
  const steps: Bare[] = [...(child.steps ?? []), { op: "exec", argv, env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] }];
  const result = await runSteps(
    [
      ...(child.before ?? []),
      { op: "spawn", flags: (child.flags ?? 0) >>> 0, group: child.group ?? "", steps: steps.length },
      ...steps,
      ...(child.after ?? []),
    ],
    child.env,
  );
  return { output: result.stderr, status: result.exited?.status ?? -1 };
}

/** As `runChild`, in a mount namespace of its own whose mounts the host does not see. */
export function runWithMounts(child: Child): Promise<ChildResult> {
  return runChild({
    ...child,
    flags: (child.flags ?? 0) | CLONE_NEWNS,
    steps: [{ op: "propagation", path: "/", flags: MS_REC | MS_SLAVE }, ...(child.steps ?? [])],
  });
}
