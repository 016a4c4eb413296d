/** Whether the kernel killed for memory in a group. Asked before the group is removed. */

import { type CgroupLayout, hierarchyOf, isUnified } from "../../kernel/cgroup/layout.ts";
import { readText } from "../machine.ts";

/** v2: memory.events, v1: memory.oom_control (since 4.13); both have a line "oom_kill N". */
export function wasOutOfMemory(layout: CgroupLayout, groupPath: string): boolean {
  const file = isUnified(layout)
    ? `${layout.v2?.mountPoint}${groupPath}/memory.events`
    : `${hierarchyOf(layout, "memory")?.mountPoint}${groupPath}/memory.oom_control`;
  return Number(/^oom_kill (\d+)$/m.exec(readText(file) ?? "")?.[1] ?? 0) > 0;
}
