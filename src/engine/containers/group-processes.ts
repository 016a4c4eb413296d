/** Which processes a container has: those in its cgroup. */

import { readdirSync } from "node:fs";
import { type CgroupLayout, hierarchyOf } from "../../kernel/cgroup/layout.ts";
import { readText } from "../machine.ts";

/** The pids in the cgroup and in cgroups that the container made below it, in ascending order. */
export function pidsIn(layout: CgroupLayout, groupPath: string): number[] {
  const hierarchy = hierarchyOf(layout, "freezer") ?? hierarchyOf(layout, "pids") ?? layout.v1[0] ?? layout.v2;
  const pids = hierarchy === undefined ? [] : [...pidsBelow(hierarchy.mountPoint + groupPath)];
  return pids.sort((a, b) => a - b);
}

function* pidsBelow(directory: string): Generator<number> {
  const text = readText(`${directory}/cgroup.procs`);
  if (text === undefined) return; // the container has ended meanwhile
  yield* text
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
  for (const entry of entriesIn(directory)) if (entry.isDirectory()) yield* pidsBelow(`${directory}/${entry.name}`);
}

export function entriesIn(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}
