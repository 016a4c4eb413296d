/**
 * A container's start as a plan: OCI specification in, steps out. Pure: no I/O, no clock.
 *
 * Two processes carry it out, side by side:
 *
 *   host side                       the container's process
 *   monitor, group
 *   spawn ───────────── clone3 ───▶ joins its group and namespaces, makes its frame: the kernel's file systems, protected
 *   id maps (user namespace only)
 *   root's directories, own files   ready: waits
 *   continue ──── further steps ──▶ mounts its root, takes the frame into it, and, where nothing else is to be mounted, enters it
 *   directories for mounts          ready: waits
 *   continue ──── further steps ──▶ mounts what was asked for, enters its root, gives away its rights, execs
 *
 * Everything up to the second `ready` depends only on the root, limits and protection, not on the command or its user, and reads nothing
 * of the user's but the root: so it can be done in advance for a container that is expected (`beginningOf`).
 */

import { planGroup } from "../kernel/cgroup/group.ts";
import type { CgroupLayout } from "../kernel/cgroup/layout.ts";
import { planMemoryWatch } from "../kernel/cgroup/memory-events.ts";
import { deviceProgram } from "../kernel/device-program.ts";
import { MS_PRIVATE, MS_REC, MS_SHARED, MS_SLAVE, MS_UNBINDABLE } from "../kernel/linux.ts";
import { loopbackUp } from "../kernel/netlink/loopback.ts";
import type { RootSource } from "../kernel/root-source.ts";
import type { Step } from "../kernel/step.ts";
import type { Linux, RuntimeSpec } from "../spec/runtime-spec.ts";
import { type FramePlan, groupViewOf, planFrame } from "./plan-frame.ts";
import { type MonitorInput, planMonitor } from "./plan-monitor.ts";
import { planHolds, planMounts } from "./plan-mounts.ts";
import { isNew, type NamespacePlan, type NamespaceTarget, planNamespaces } from "./plan-namespaces.ts";
import { bindOwnFiles, makeOwnFiles, type OwnFilesInput } from "./plan-own-files.ts";
import { planProcess, planRights } from "./plan-process.ts";
import { planReadonlyRoot } from "./plan-protect.ts";

/** Facts about the machine and the supervisor, which the engine reads once. */
export interface HostFacts {
  /** oom_score_adj that every container inherits from the supervisor. */
  readonly oomScoreAdj: number;
  /** Mask of the capabilities that root has here: inside another container not all of them. */
  readonly capabilities: bigint;
  readonly architecture: "x86_64" | "aarch64";
}

export interface ContainerPlanInput extends OwnFilesInput {
  readonly id: string;
  readonly root: RootSource;
  readonly cgroups: CgroupLayout;
  readonly monitor: MonitorInput;
  readonly host: HostFacts;
  /** A host directory on which each container's process mounts its frame, in its own namespace. */
  readonly framePoint: string;
  /** On the host, for what is mounted. Files alone: the container's process has the host's mounts as they were when it was made. */
  readonly prepare?: readonly Step[];
  /** The container's own network namespace, when it exists already and is joined. */
  readonly sandboxPath?: string;
  /** Other containers, whose namespaces the specification names by path. */
  readonly targets: readonly NamespaceTarget[];
  /** Wait for GO before the program runs. */
  readonly gate: boolean;
  /** Its first process is our init, and the program is that one's child. */
  readonly init: boolean;
}

/** The container's cgroup path in every hierarchy, unless its specification names another. */
export function groupPathOf(id: string, spec: RuntimeSpec): string {
  return spec.linux?.cgroupsPath ?? `/orlop/${id}`;
}

/** @throws {OrlopError} bad_value, unknown_field, limit_unsupported: the specification cannot be fulfilled */
export function planContainer(input: ContainerPlanInput): Step[] {
  const { spec, root, monitor, id } = input;
  const linux = spec.linux ?? {};
  const namespaces = planNamespaces(linux, input.targets);
  const group = planGroup(input.cgroups, groupPathOf(id, spec), linux.resources ?? {}, deviceProgram);
  const frame = planFrame(input);
  const first: Step[] = [
    ...group.join,
    ...namespaces.join,
    ...namespaces.awaitMaps,
    ...namespaces.unshareCgroup,
    ...(input.init ? [openInit] : []),
    ...planHolds(spec.mounts ?? []),
    slaves,
    ...(isNew(linux, "network") ? [loopbackUp()] : []),
    ...frame.make,
    { op: "ready", why: "wait here until the directories of its root are made" },
  ];
  const { below, above, enter } = planRoot(input, linux, frame);
  const second: Step[] = [
    ...below,
    ...(above.length === 0 ? enter : []),
    { op: "ready", why: "up to here it is like every container of its kind; what makes it this one comes next" },
  ];
  const third: Step[] = [
    ...above,
    ...(above.length === 0 ? [] : enter),
    ...planNames(spec),
    ...planProcess(spec.process, input.host, id),
    ...planRights(spec.process, linux, input.host, input),
  ];
  return [
    ...planMonitor(monitor, spec.process.terminal === true),
    ...group.prepare,
    ...planMemoryWatch(input.cgroups, groupPathOf(id, spec)),
    ...namespaces.targets,
    ...frame.prepare,
    planSpawn(namespaces, group.cloneInto, first.length),
    ...first,
    ...namespaces.writeMaps,
    ...root.prepare,
    ...makeOwnFiles(input),
    { op: "continue", steps: second.length, why: `its root can be mounted: the next ${second.length} steps are its` },
    ...second,
    ...(input.prepare ?? []),
    {
      op: "continue",
      steps: third.length,
      why: `what makes it this container: the next ${third.length} steps are its`,
    },
    ...third,
  ];
}

/** The part of a container's plan that ends at its last `ready`. */
export function beginningOf(plan: readonly Step[]): readonly Step[] {
  return plan.slice(0, plan.findLastIndex(({ op }) => op === "ready") + 1);
}

const openInit: Step = { op: "open-init", why: "the init is not a file of the container, and cannot be found later" };

const slaves: Step = {
  op: "propagation",
  path: "/",
  flags: MS_REC | MS_SLAVE,
  why: "what is mounted in here stays in here; what the host unmounts is unmounted in here too",
};

function planSpawn(namespaces: NamespacePlan, group: string, steps: number): Step {
  return {
    op: "spawn",
    flags: namespaces.flags,
    group,
    steps,
    why: `the container's first process, in namespaces of its own; the next ${steps} steps are its`,
  };
}

interface RootPlan {
  /** The root, and what every container has in it. */
  readonly below: readonly Step[];
  /** What the specification adds to that. */
  readonly above: readonly Step[];
  readonly enter: readonly Step[];
}

/** From the host's mounts to a finished root with nothing of the host in it. */
function planRoot(input: ContainerPlanInput, linux: Linux, frame: FramePlan): RootPlan {
  const { spec, root } = input;
  const own = bindOwnFiles(input);
  return {
    below: [
      ...root.mount,
      { op: "root", path: root.mountPoint, why: "from here on paths are the container's, and no link leads out" },
      ...root.furnish,
      ...own.below,
      ...frame.takeIn,
    ],
    above: [...planOthers(input, frame), ...own.above, ...frame.late, ...planReadonlyRoot(spec)],
    enter: [
      {
        op: "pivot",
        propagation: propagationOf[linux.rootfsPropagation ?? "default"],
        why: "the new root becomes /, and the host's mounts are gone from this namespace",
      },
    ],
  };
}

function planOthers(input: ContainerPlanInput, { others, devices }: FramePlan): Step[] {
  const view = groupViewOf(input);
  const behind = others.findIndex(({ destination }) => destination === "/dev") + 1 || others.length;
  return [...planMounts(others.slice(0, behind), view), ...devices, ...planMounts(others.slice(behind), view)];
}

const propagationOf = {
  default: 0,
  private: MS_PRIVATE,
  slave: MS_SLAVE,
  shared: MS_SHARED,
  unbindable: MS_UNBINDABLE,
  rprivate: MS_REC | MS_PRIVATE,
  rslave: MS_REC | MS_SLAVE,
  rshared: MS_REC | MS_SHARED,
} as const satisfies Record<NonNullable<Linux["rootfsPropagation"]> | "default", number>;

function planNames(spec: RuntimeSpec): Step[] {
  return [
    ...(spec.hostname === undefined
      ? []
      : [{ op: "hostname", name: spec.hostname, why: "its own name, by its own UTS namespace" } as const]),
    ...(spec.domainname === undefined
      ? []
      : [{ op: "domainname", name: spec.domainname, why: "its NIS domain, by its own UTS namespace" } as const]),
  ];
}
