/**
 * A task carries its plan out to the end although the engine that sent it was killed. The next engine does not look at what is there
 * before that: a bridge that is made a moment later would be nobody's.
 */

import { readdirSync } from "node:fs";
import { log } from "../base/log.ts";
import { readText } from "./machine.ts";

/** One that waits for a disk must not keep the engine from serving the rest. */
const PATIENCE_MS = 3000;
const POLL_MS = 5;

/** Resolves when no task of an earlier engine is under way any more. A task that has become a monitor is none. */
export async function earlierTasksEnd(runDir: string): Promise<void> {
  let left = tasksOf(runDir, readdirSync("/proc").filter(isPid));
  for (const deadlineMs = performance.now() + PATIENCE_MS; left.length > 0; left = tasksOf(runDir, left)) {
    if (performance.now() > deadlineMs) return log("warn", `tasks of an earlier engine go on: ${left.join(", ")}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

const isPid = (name: string): boolean => /^\d+$/.test(name);

/**
 * Which of these are tasks of a supervisor of this run directory, whichever that was. A zombie has no command line. A container's
 * process may call itself what it likes, but has a number in its own PID namespace too.
 */
function tasksOf(runDir: string, pids: readonly string[]): string[] {
  return pids.filter(
    (pid) =>
      told(pid, "comm") === "orlop-task\n" &&
      /^NSpid:\s+\d+$/m.test(told(pid, "status")) &&
      told(pid, "cmdline").split("\0").includes(runDir),
  );
}

/** "" for a process that has ended. */
function told(pid: string, file: "comm" | "status" | "cmdline"): string {
  try {
    return readText(`/proc/${pid}/${file}`) ?? "";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return "";
    throw error;
  }
}
