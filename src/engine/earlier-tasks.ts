/**
 * A task carries out its plan even if the engine that sent it is killed. The next engine waits for such tasks before it looks at what
 * exists: a bridge that a task makes afterwards would belong to no network.
 */

import { readdirSync } from "node:fs";
import { log } from "../base/log.ts";
import { readProc } from "./process-files.ts";

/** The limit of that wait: a task that is blocked on a disk must not keep the engine from serving. */
const TIMEOUT_MS = 3000;
const POLL_MS = 5;

/** Resolves when no task of an earlier engine is under way. A task that has become a monitor does not count. */
export async function earlierTasksEnd(runDir: string): Promise<void> {
  let left = tasksOf(runDir, readdirSync("/proc").filter(isPid));
  for (const deadlineMs = performance.now() + TIMEOUT_MS; left.length > 0; left = tasksOf(runDir, left)) {
    if (performance.now() > deadlineMs) return log("warn", `tasks of an earlier engine go on: ${left.join(", ")}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

const isPid = (name: string): boolean => /^\d+$/.test(name);

/**
 * Which of these are tasks of a supervisor (this one or an earlier one) of this run directory. Zombies do not count: they have no command
 * line. Processes in containers may have any name, but have a second pid, in their own PID namespace.
 */
function tasksOf(runDir: string, pids: readonly string[]): string[] {
  return pids.filter(
    (pid) =>
      readProc(pid, "comm") === "orlop-task\n" &&
      /^NSpid:\s+\d+$/m.test(readProc(pid, "status")) &&
      readProc(pid, "cmdline").split("\0").includes(runDir),
  );
}
