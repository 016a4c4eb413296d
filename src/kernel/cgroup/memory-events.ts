/** Out-of-memory kills in a group: the file that counts them, and the step that watches it. */

import type { Step } from "../step.ts";
import { type CgroupLayout, hierarchyOf, isUnified } from "./layout.ts";

/** v2: memory.events, v1: memory.oom_control (since 4.13); both have a line "oom_kill N". undefined: no memory controller. */
export function memoryEventsFile(layout: CgroupLayout, path: string): string | undefined {
  const { v2 } = layout;
  if (v2 !== undefined && isUnified(layout))
    return v2.controllers.includes("memory") ? `${v2.mountPoint}${path}/memory.events` : undefined;
  const memory = hierarchyOf(layout, "memory");
  return memory && `${memory.mountPoint}${path}/memory.oom_control`;
}

/** The count in such a file; 0 without one. */
export function parseOomKills(text: string): number {
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}

/** Has the monitor report when memory runs out in this group, which exists by then. */
export function planMemoryWatch(layout: CgroupLayout, path: string): Step[] {
  const events = memoryEventsFile(layout, path);
  if (events === undefined) return [];
  const control = isUnified(layout) ? "" : `${hierarchyOf(layout, "memory")?.mountPoint}${path}/cgroup.event_control`;
  return [{ op: "watch-memory", events, control, why: "that memory ran out is known at once, not only at its end" }];
}
