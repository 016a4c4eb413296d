/** The record of a run that ended: by itself, or because its monitor was lost. */

import type { CgroupLayout } from "../../kernel/cgroup/layout.ts";
import { memoryEventsFile, parseOomKills } from "../../kernel/cgroup/memory-events.ts";
import { SIGKILL } from "../../kernel/signals.ts";
import { readText } from "../machine.ts";
import type { End } from "./container-process.ts";
import type { RunRecord } from "./container-record.ts";
import { exitStatusOf } from "./exit-status.ts";

/** @param countOomKills counts them in the cgroup, which must still exist; used where the monitor has not reported any */
export function recordOfEnd(run: RunRecord, end: End, countOomKills: () => number): RunRecord {
  if (end.kind === "lost")
    return {
      ...run,
      status: "exited",
      pid: 0,
      endedNs: String(BigInt(Date.now()) * 1_000_000n),
      exitCode: 128 + SIGKILL,
      error: `its monitor was lost (${end.reason}): every process of it was killed`,
    };
  const { exitCode } = exitStatusOf(end.status);
  const oomKilled = run.oomKilled || countOomKills() > 0;
  return { ...run, status: "exited", pid: 0, endedNs: String(end.endedNs), exitCode, oomKilled };
}

/** How many processes of a cgroup the OOM killer has killed; 0 when the cgroup is gone. */
export function countOomKills(cgroups: CgroupLayout, groupPath: string): number {
  const file = memoryEventsFile(cgroups, groupPath);
  return file === undefined ? 0 : parseOomKills(readText(file) ?? "");
}
