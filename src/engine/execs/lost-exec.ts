/** What an exec whose monitor is gone has left running: its process goes too, as with a container's monitor. */

import { StepFailure } from "../../kernel/executor.ts";
import { groupPathOfRecord } from "../containers/container-record.ts";
import { pidsIn } from "../containers/group-processes.ts";
import { readStartTicks } from "../containers/sharing.ts";
import type { EngineParts } from "../engine-parts.ts";
import { readText } from "../machine.ts";
import type { ExecHost } from "./exec.ts";

/**
 * @param pid of the exec's process, where this engine knew it. Without it, and where the container has PIDs of its own, it is found
 *   by its parent: in the container only what an exec has started has one outside, and that is its monitor as long as there is one.
 */
export async function endLostExec(parts: EngineParts, host: ExecHost, pid: number | undefined): Promise<void> {
  const pids = pidsIn(parts.machine.cgroups, groupPathOfRecord(host.record));
  const orphans = pids.filter((one) => one === pid || host.record.body.HostConfig.PidMode === "");
  const inside = new Set(pids);
  for (const orphan of orphans) {
    const parent = parentOf(orphan);
    if (parent === 0 || inside.has(parent) || isMonitor(parent)) continue;
    await end(parts, orphan);
  }
}

async function end({ executor }: EngineParts, pid: number): Promise<void> {
  const started = readStartTicks(pid);
  if (started === undefined) return;
  try {
    await executor.run([
      { op: "target", pid, started, why: "this process, and no other that has its number later" },
      { op: "kill-target", target: 0, why: "the monitor of this exec is gone, and nobody would hear of its end" },
    ]);
  } catch (error) {
    if (!(error instanceof StepFailure && error.errno === "ESRCH")) throw error; // it has ended meanwhile
  }
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readProc(pid, "status"))?.[1] ?? 0);
}

function isMonitor(pid: number): boolean {
  return readProc(pid, "comm").startsWith("orlop-");
}

/** "" for one that has ended. */
function readProc(pid: number, file: string): string {
  try {
    return readText(`/proc/${pid}/${file}`) ?? "";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return "";
    throw error;
  }
}
