/** Seconds that processes had of a processor. */

import { readFileSync } from "node:fs";

/** A process's descendants. */
export function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    const own = text.split(" ").filter(Boolean).map(Number);
    return [...own, ...own.flatMap(childrenOf)];
  } catch {
    return []; // it has ended
  }
}

/** Of user and system, and of children that have been waited for. */
export function cpuSecondsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      const text = readFileSync(`/proc/${pid}/stat`, "utf8");
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      return sum + [11, 12, 13, 14].reduce((ticks, at) => ticks + Number(fields[at]), 0) / 100;
    } catch {
      return sum; // it has ended
    }
  }, 0);
}
