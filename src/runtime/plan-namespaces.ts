/** The container's namespaces: which are created with its process, which are joined, and which are created by a later step. */

import { OrlopError } from "../base/errors.ts";
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from "../kernel/linux.ts";
import type { Step } from "../kernel/step.ts";
import type { IdMapping, Linux, Namespace, NamespaceType } from "../spec/runtime-spec.ts";

const flagOf = {
  mount: CLONE_NEWNS,
  pid: CLONE_NEWPID,
  network: CLONE_NEWNET,
  ipc: CLONE_NEWIPC,
  uts: CLONE_NEWUTS,
  user: CLONE_NEWUSER,
  cgroup: CLONE_NEWCGROUP,
  time: CLONE_NEWTIME,
} as const satisfies Record<NamespaceType, number>;

/** The PID namespace is last, because its processes can see ours from then on. */
const joinOrder: readonly NamespaceType[] = ["network", "ipc", "uts", "time", "cgroup", "pid"];

/** A process whose namespace is joined. startTicks: field 22 of /proc/PID/stat, so that no other is taken for it. */
export interface NamespaceTarget {
  readonly type: NamespaceType;
  readonly pid: number;
  readonly startTicks: number;
}

/** Where a namespace that is to be joined is found by its process, the specification has this path. */
export function targetPath({ pid, type }: NamespaceTarget): string {
  return `/proc/${pid}/ns/${type === "network" ? "net" : type}`;
}

export interface NamespacePlan {
  /** For clone3: every new namespace but the cgroup one. */
  readonly flags: number;
  /** Before `spawn`. */
  readonly targets: readonly Step[];
  /** In the child, before all steps that depend on the namespaces. */
  readonly join: readonly Step[];
  /** In the child, once it is in its cgroup. */
  readonly unshareCgroup: readonly Step[];
  /** In the child: waits until the parent has written the id maps. */
  readonly awaitMaps: readonly Step[];
  /** In the parent, after `spawn`. */
  readonly writeMaps: readonly Step[];
}

/** @throws {OrlopError} unknown_field for a combination that is not carried out, bad_value for a namespace listed twice */
export function planNamespaces(linux: Linux, targets: readonly NamespaceTarget[] = []): NamespacePlan {
  const namespaces = linux.namespaces ?? [];
  check(namespaces);
  const made = namespaces.filter((namespace) => namespace.path === undefined).map((namespace) => namespace.type);
  const flags = made.filter((type) => type !== "cgroup").reduce((sum, type) => sum | flagOf[type], 0);
  const join = joinOrder.flatMap((type): Step[] => {
    const path = namespaces.find((namespace) => namespace.type === type)?.path;
    if (path === undefined) return [];
    const target = targets.findIndex((one) => one.type === type);
    if (target < 0) return [joinStep(type, path)];
    return [{ op: "join", target, flags: flagOf[type], why: `share the ${type} namespace of another container` }];
  });
  const unshareCgroup: Step[] = made.includes("cgroup")
    ? [
        {
          op: "unshare",
          flags: CLONE_NEWCGROUP,
          why: "its own group is the root of what it sees of cgroups (in clone3 that would be the monitor's group)",
        },
      ]
    : [];
  const maps = made.includes("user") ? planMaps(linux) : [];
  const awaitMaps: Step[] =
    maps.length === 0
      ? []
      : [{ op: "await", why: "wait here until the id maps are written: before that it has no user ids" }];
  // JavaScript's | is signed; clone3 takes the low 32 bits without sign.
  return { flags: flags >>> 0, targets: targets.map(holdTarget), join, unshareCgroup, awaitMaps, writeMaps: maps };
}

/** Whether the specification asks for a new namespace of this type. */
export function isNew(linux: Linux, type: NamespaceType): boolean {
  return (linux.namespaces ?? []).some((namespace) => namespace.type === type && namespace.path === undefined);
}

/** CLONE_NEW* of all that a container with these namespaces does not share with the host: what an exec in it joins. */
export function joinFlags(linux: Pick<Linux, "namespaces">): number {
  return (linux.namespaces ?? []).reduce((flags, { type }) => flags | flagOf[type], 0) >>> 0;
}

function check(namespaces: readonly Namespace[]): void {
  const types = namespaces.map((namespace) => namespace.type);
  const twice = types.find((type, index) => types.indexOf(type) !== index);
  if (twice !== undefined)
    throw OrlopError.of("bad_value", { what: "linux.namespaces", value: twice, expected: "each type once" });
  const mount = namespaces.find((namespace) => namespace.type === "mount");
  // The root file system is assembled in a mount namespace that nobody else sees.
  if (mount === undefined) throw OrlopError.of("unknown_field", { field: "a container without a mount namespace" });
  if (mount.path !== undefined) throw OrlopError.of("unknown_field", { field: "joining a mount namespace by path" });
  // Joining one leaves this process without rights over the mount namespace that it was born with.
  if (namespaces.some(({ type, path }) => type === "user" && path !== undefined))
    throw OrlopError.of("unknown_field", { field: "joining a user namespace by path" });
  for (const { type, path } of namespaces)
    if (path !== undefined && !path.startsWith("/"))
      throw OrlopError.of("bad_value", { what: `${type} namespace path`, value: path, expected: "an absolute path" });
}

/** The number of a process may be another's by now; its start tells. */
function holdTarget({ type, pid, startTicks }: NamespaceTarget): Step {
  return {
    op: "target",
    pid,
    started: startTicks,
    why: `the container whose ${type} namespace is shared, and no other`,
  };
}

function joinStep(type: NamespaceType, path: string): Step {
  return {
    op: "setns",
    path,
    flags: flagOf[type],
    why: `share this ${type} namespace instead of having one of its own`,
  };
}

function planMaps(linux: Linux): Step[] {
  const uidMap = mapLines(linux.uidMappings ?? []);
  const gidMap = mapLines(linux.gidMappings ?? []);
  if (uidMap === "" || gidMap === "")
    throw OrlopError.of("bad_value", {
      what: "linux.uidMappings and linux.gidMappings",
      value: "[]",
      expected: "a mapping each: a user namespace without one has no users",
    });
  return [
    { op: "id-map", uidMap, gidMap, deny: 0, why: "which of the host's users the container's users are" },
    { op: "release", why: "the maps are written: the container's process can become root in its user namespace" },
  ];
}

/** "0 100000 65536\n" lines, see user_namespaces(7). */
function mapLines(mappings: readonly IdMapping[]): string {
  return mappings.map((map) => `${map.containerID} ${map.hostID} ${map.size}\n`).join("");
}
