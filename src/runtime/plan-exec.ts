/**
 * A further process in a running container, as a plan. Pure.
 *
 * It joins the container's cgroup, then its namespaces, and opens files only after that, so that they are the container's. No descriptor
 * of the host stays open after `join`.
 *
 * The PID namespace comes last, after it has dropped its privileges: a container with CAP_SYS_PTRACE can trace every process that it
 * sees, and could get all rights of the host's root from one that still has them. After the seccomp filter follow a fork, setsid, the
 * gate and execve, which the default profile allows. With a filter that may not, the PID namespace is entered before the filter.
 */

import { capabilityMask } from "../kernel/capabilities.ts";
import { planGroupJoin } from "../kernel/cgroup/group.ts";
import type { CgroupLayout } from "../kernel/cgroup/layout.ts";
import { CLONE_NEWPID } from "../kernel/linux.ts";
import type { Step } from "../kernel/step.ts";
import type { Linux, Process, Rlimit } from "../spec/runtime-spec.ts";
import type { HostFacts } from "./plan-container.ts";
import { type MonitorInput, planMonitor } from "./plan-monitor.ts";
import { joinFlags } from "./plan-namespaces.ts";
import { planLimits, planPlace, planRights, planRlimit, planStdio } from "./plan-process.ts";

/** A flag of `join`. */
const ENTERS_LATER = 1;

export interface ExecPlanInput {
  /** The container's id, which its keyring has as name. */
  readonly id: string;
  readonly process: Process;
  /** The container's. */
  readonly linux: Pick<Linux, "namespaces" | "seccomp">;
  /** The seccomp filter may forbid the steps after it. */
  readonly hasOwnFilter: boolean;
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
  const flags = joinFlags(linux);
  const isEntered = (flags & CLONE_NEWPID) !== 0; // else it shares the host's, like the container
  const entersFirst = !isEntered || (input.hasOwnFilter && process.noNewPrivileges !== true);
  const limits = entersFirst ? { before: process, behind: [] } : withoutCount(process, host);
  const stdio = planStdio(process, false);
  const isTerminal = process.terminal === true;
  const enter: Step[] = [
    {
      op: "enter",
      session: isTerminal ? 0 : 1,
      why: "others see it from here on, and it has no more rights than they",
    },
    ...limits.behind.map(planRlimit),
    ...(isTerminal ? stdio : []),
  ];
  const child: Step[] = [
    ...group.join,
    ...planLimits(limits.before, host),
    {
      op: "join",
      target: 0,
      flags: flags + (entersFirst ? 0 : ENTERS_LATER),
      why: "it sees what the container sees, and nothing of the host",
    },
    { op: "keyring", name: id, why: "the container's session keyring" },
    ...(entersFirst || !isTerminal ? stdio : []),
    ...planPlace(process, false),
    ...planRights(process, linux, host, { gate: true, init: false, enter: entersFirst ? [] : enter }),
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

const MANY = { type: "RLIMIT_NPROC", soft: -1, hard: -1 } as const satisfies Rlimit;

/** RLIMIT_NPROC is set after `enter`, whose fork would otherwise count against it while the forking process still exists. */
function withoutCount(
  process: Process,
  host: HostFacts,
): { readonly before: Process; readonly behind: readonly Rlimit[] } {
  const { rlimits = [] } = process;
  const behind = rlimits.filter(({ type }) => type === MANY.type);
  if (behind.length === 0) return { before: process, behind };
  const others = rlimits.filter((limit) => !behind.includes(limit));
  // behind, it can only be lowered
  const canRaise = (host.capabilities & capabilityMask(["CAP_SYS_RESOURCE"])) !== 0n;
  return { before: { ...process, rlimits: canRaise ? [...others, MANY] : others }, behind };
}
