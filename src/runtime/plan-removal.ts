/** Removes what is left of a container: its cgroup, its changes to the root, its directories. */

import { groupDirectories, planGroupKill, planGroupRemoval } from "../kernel/cgroup/group.ts";
import type { CgroupLayout } from "../kernel/cgroup/layout.ts";
import type { Step } from "../kernel/step.ts";

export interface RemovalInput {
  readonly cgroups: CgroupLayout;
  /** As `groupPathOf` gives it. */
  readonly groupPath: string;
  /** Host paths that were the container's alone; none of them when they stay for the next start. */
  readonly owned: readonly string[];
}

/** No step fails when its object is missing, so that an interrupted removal can simply be repeated. */
export function planRemoval({ cgroups, groupPath, owned }: RemovalInput): Step[] {
  const hasGroup = groupDirectories(cgroups, groupPath).length > 0;
  return [
    ...(hasGroup ? [...planGroupKill(cgroups, groupPath), ...planGroupRemoval(cgroups, groupPath)] : []),
    ...planFileRemoval(owned),
  ];
}

/** @param owned host paths that were the container's alone */
export function planFileRemoval(owned: readonly string[]): Step[] {
  return owned.map((path): Step => ({ op: "remove", path, why: "the container's own files go with it" }));
}
