/** Kills the process of an exec whose monitor is gone, as is done with a container whose monitor is gone. */

import { StepFailure } from "../../kernel/executor.ts";
import { groupPathOfRecord } from "../containers/container-record.ts";
import { pidsIn } from "../containers/group-processes.ts";
import { readStartTicks } from "../containers/sharing.ts";
import type { EngineParts } from "../engine-parts.ts";
import { parentOf, readProc } from "../process-files.ts";
import type { ExecHost } from "./exec.ts";

/**
 * @param pid the exec's process, if this engine knows it. Otherwise it is found by its parent, in a container with its own PID namespace:
 *   of the container's processes only those started by execs have a parent outside, which is the exec's monitor as long as that lives
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
    if (!(error instanceof StepFailure && error.errno === "ESRCH")) throw error; // the process has ended
  }
}

function isMonitor(pid: number): boolean {
  return readProc(pid, "comm").startsWith("orlop-");
}
