/**
 * A further process in a running container, as a plan. Pure.
 *
 * It is in the container's group and limits before it is in its namespaces, and in those before it opens anything: what it
 * opens then is the container's. Nothing of the host stays open behind `join`.
 */

import { planGroupJoin } from "../kernel/cgroup/group.ts";
import type { CgroupLayout } from "../kernel/cgroup/layout.ts";
import type { Step } from "../kernel/step.ts";
import type { Linux, Process } from "../spec/runtime-spec.ts";
import type { HostFacts, MonitorInput } from "./plan-container.ts";
import { planMonitor } from "./plan-monitor.ts";
import { joinFlags } from "./plan-namespaces.ts";
import { planLimits, planPlace, planRights, planStdio } from "./plan-process.ts";

export interface ExecPlanInput {
  /** The container's: its keyring has this name. */
  readonly id: string;
  readonly process: Process;
  /** The container's. */
  readonly linux: Pick<Linux, "namespaces" | "seccomp">;
  readonly groupPath: string;
  /** The container's first process. startTicks: field 22 of /proc/PID/stat, so that no other is taken for it. */
  readonly target: { readonly pid: number; readonly startTicks: number };
  readonly cgroups: CgroupLayout;
  readonly monitor: MonitorInput;
  readonly host: HostFacts;
}

export function planExec(input: ExecPlanInput): Step[] {
  const { process, linux, host, target, id } = input;
  const group = planGroupJoin(input.cgroups, input.groupPath);
  const child: Step[] = [
    ...group.join,
    ...planLimits(process, host),
    { op: "join", target: 0, flags: joinFlags(linux), why: "it sees what the container sees, and nothing of the host" },
    { op: "keyring", name: id, why: "the container's session keyring" },
    ...planStdio(process, false),
    ...planPlace(process, false),
    ...planRights(process, linux, host, { gate: true, init: false }),
  ];
  return [
    ...planMonitor(input.monitor, process.terminal === true),
    { op: "target", pid: target.pid, started: target.startTicks, why: "the container's first process, and no other" },
    {
      op: "spawn",
      flags: 0,
      group: group.cloneInto,
      steps: child.length,
      why: `one more process for the container; the next ${child.length} steps are its`,
    },
    ...child,
  ];
}
