/** Files of /proc/PID of processes that may end at any moment. */

import { readText } from "./machine.ts";

/**
 * @param task a pid, or "PID/task/TID" for one of its threads
 * @param file e.g. "status"
 * @returns "" for a process that has ended, also between the opening of the file and the reading (ESRCH)
 */
export function readProc(task: number | string, file: string): string {
  try {
    return readText(`/proc/${task}/${file}`) ?? "";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return "";
    throw error;
  }
}

/** 0 for a process that has ended. */
export function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readProc(pid, "status"))?.[1] ?? 0);
}
