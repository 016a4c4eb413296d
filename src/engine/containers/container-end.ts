/** What is written down of a run that ended: by itself, or because its monitor was lost. */

import type { CgroupLayout } from "../../kernel/cgroup/layout.ts";
import type { End } from "./container-process.ts";
import type { RunRecord } from "./container-record.ts";
import { exitStatusOf } from "./exit-status.ts";
import { wasOutOfMemory } from "./out-of-memory.ts";

const SIGKILL = 9;

/** The record of `run` once it ended like this. The group must still be there: it knows whether memory ran out. */
export function recordOfEnd(run: RunRecord, end: End, cgroups: CgroupLayout, groupPath: string): RunRecord {
  if (end.kind === "lost")
    return {
      ...run,
      status: "exited",
      pid: 0,
      endedNs: String(BigInt(Date.now()) * 1_000_000n),
      exitCode: 128 + SIGKILL,
      error: `its monitor was lost (${end.reason}): every process of it was killed`,
    };
  const { exitCode, signal } = exitStatusOf(end.status);
  const oomKilled = signal === SIGKILL && wasOutOfMemory(cgroups, groupPath);
  return { ...run, status: "exited", pid: 0, endedNs: String(end.endedNs), exitCode, oomKilled };
}
