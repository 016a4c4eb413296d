/** What is left of a container, removed: its group, its changes to the root, its directories. */

import { groupDirectories, planGroupKill, planGroupRemoval } from "../kernel/cgroup/group.ts";
import type { CgroupLayout } from "../kernel/cgroup/layout.ts";
import type { Step } from "../kernel/step.ts";

export interface RemovalInput {
  readonly cgroups: CgroupLayout;
  /** As `groupPathOf` gives it. */
  readonly groupPath: string;
  /** Host paths that were the container's alone: the root source's `owned`, and what the engine made. */
  readonly owned: readonly string[];
}

/** After the end of a container's processes: its group goes, its files stay for the next start. */
export function planGroupEnd(input: Pick<RemovalInput, "cgroups" | "groupPath">): Step[] {
  return [...planGroupKill(input.cgroups, input.groupPath), ...planGroupRemoval(input.cgroups, input.groupPath)];
}

/** Everything. Each step is fine with what is missing, so a removal that was interrupted is just done again. */
export function planRemoval(input: RemovalInput): Step[] {
  return [
    ...(groupDirectories(input.cgroups, input.groupPath).length === 0 ? [] : planGroupEnd(input)),
    ...input.owned.map((path): Step => ({ op: "remove", path, why: "the container's own files go with it" })),
  ];
}
