/** Which of the engine's threads gets a processor first. On Linux a nice value is a thread's, and a new thread has its maker's (sched(7)). */
import { readdirSync } from "node:fs";
import { setPriority } from "node:os";

/** It gets nine times the share of a thread of ours that works (sched(7)), and its turn as soon as it has something to do. */
const preferred = -10;

/**
 * The main thread comes before all others of this process, or it does not any more. To be said again when others may have come
 * meanwhile: they begin with the priority of the thread that made them. Without the right to it all stays as it is.
 */
export function preferMainThread(isPreferred: boolean): void {
  for (const name of readdirSync("/proc/self/task")) {
    const tid = Number(name);
    setNice(tid, isPreferred && tid === process.pid ? preferred : 0);
  }
}

function setNice(tid: number, value: number): void {
  try {
    setPriority(tid, value);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!/ESRCH|EACCES|EPERM/.test(`${code} ${message}`)) throw error; // it has ended; nobody lets us
  }
}
