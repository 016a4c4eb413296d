/** The specification's mounts as steps, in its order (config.md, "mounts"), below the root that `root` opened. */

import { OrlopError } from "../base/errors.ts";
import { type CgroupLayout, isUnified } from "../kernel/cgroup/layout.ts";
import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MS_PRIVATE,
  MS_REC,
  MS_SHARED,
} from "../kernel/linux.ts";
import { parseMountOptions } from "../kernel/mount-options.ts";
import type { Step } from "../kernel/step.ts";
import type { Mount, MountBelow } from "../spec/runtime-spec.ts";

/** What a mount of type "cgroup" depends on. */
export interface GroupView {
  readonly layout: CgroupLayout;
  /** The container's own group in every hierarchy. */
  readonly path: string;
}

/** @throws {OrlopError} bad_value for a destination or source that is not absolute, or an option that is not one */
export function planMounts(mounts: readonly MountBelow[], group: GroupView): Step[] {
  return mounts.flatMap((mount) => {
    checkDestination(mount);
    if (mount.type === "cgroup" || mount.type === "cgroup2") return planCgroupView(mount, group);
    return isBind(mount) ? [...planView(mount), planBind(mount)] : [planFileSystem(mount)];
  });
}

/** The only files below /proc that may be mounted over (lxcfs provides them): masks rely on the rest. */
const procFiles = ["cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo"];

function checkDestination(mount: Mount): void {
  const { destination } = mount;
  const parts = destination.split("/").slice(1);
  if (!destination.startsWith("/") || destination === "/" || parts.includes(".."))
    throw OrlopError.of("bad_value", {
      what: "mount destination",
      value: destination,
      expected: "an absolute path without .., and not / itself",
    });
  const [first, ...below] = parts.filter((part) => part !== "" && part !== ".");
  if (first === "proc" && below.length > 0 && !procFiles.includes(below.join("/")))
    throw OrlopError.of("bad_value", {
      what: "mount destination",
      value: destination,
      expected: `a path outside /proc (or one of ${procFiles.join(", ")} in it)`,
    });
  // As runc has it: what stands there is the kernel's, the container's or the host's.
  if (first === "proc" && below.length === 0 && mount.type !== "proc" && !(isBind(mount) && mount.source === "/proc"))
    throw OrlopError.of("bad_value", {
      what: "mount destination",
      value: destination,
      expected: "a path outside /proc: programs need the kernel's there (-v /proc:/proc shows the host's)",
    });
}

export function isBind(mount: Mount): boolean {
  return mount.type === "bind" || (mount.options ?? []).some((option) => option === "bind" || option === "rbind");
}

function planFileSystem(mount: Mount): Step {
  const { set, data } = parseMountOptions(mount.options ?? []);
  const fstype = mount.type ?? "";
  if (fstype === "")
    throw OrlopError.of("bad_value", {
      what: `type of the mount on ${mount.destination}`,
      value: "",
      expected: "a type",
    });
  return {
    op: "root-mount",
    fstype,
    source: mount.source ?? fstype,
    target: mount.destination,
    attributes: set,
    options: data,
    why: reasonFor(mount),
  };
}

const reasons: Readonly<Record<string, string>> = {
  "/proc": "a /proc that shows only the processes of its own PID namespace",
  "/dev": "an empty /dev for the few devices that it gets",
  "/dev/pts": "its own terminals, with none of the host's",
  "/dev/shm": "POSIX shared memory of its own, bounded",
  "/dev/mqueue": "POSIX message queues of its IPC namespace",
  "/sys": "a read-only /sys, which shows the links of its own network namespace",
};

function reasonFor(mount: Mount): string {
  return reasons[mount.destination] ?? `${mount.type} was asked for on ${mount.destination}`;
}

/** The `bind` steps' flags. */
const RECURSIVE = 1;
const RECURSIVE_ATTRIBUTES = 2;
const RECURSIVE_PROPAGATION = 4;
const HELD = 8;

/**
 * Sources that stay in the peer groups of the host's mounts (propagation shared): copied before all mounts of this namespace become
 * slaves. In the order of the mounts.
 */
export function planHolds(mounts: readonly Mount[]): Step[] {
  return mounts.filter(isShared).map((mount) => ({
    op: "hold",
    source: mount.source ?? "",
    flags: parseMountOptions(mount.options ?? []).recursiveBind ? RECURSIVE : 0,
    why: `what is mounted below ${mount.destination} is to be seen outside, and the other way round`,
  }));
}

function isShared(mount: Mount): boolean {
  return isBind(mount) && (parseMountOptions(mount.options ?? []).propagation & MS_SHARED) !== 0;
}

/** What the source of a bind is covered with, in this namespace alone. */
function planView({ source = "", lowers, destination }: MountBelow): Step[] {
  if (lowers === undefined) return [];
  const why = `the layers of what ${destination} shows, one on top of the other`;
  return [{ op: "overlay", target: source, lowers, upper: "", work: "", options: [], why }];
}

function planBind(mount: MountBelow): Step {
  const options = parseMountOptions(mount.options ?? []);
  if (!mount.source?.startsWith("/"))
    throw OrlopError.of("bad_value", {
      what: `source of the bind on ${mount.destination}`,
      value: mount.source ?? "",
      expected: "an absolute host path",
    });
  if (options.data.length > 0)
    throw OrlopError.of("bad_value", {
      what: `options of the bind on ${mount.destination}`,
      value: options.data.join(","),
      expected: "options that a bind mount has (ro, nosuid, rprivate …)",
    });
  const propagation = options.propagation || MS_PRIVATE | MS_REC;
  const held = isShared(mount);
  const how = {
    source: mount.source,
    target: mount.destination,
    flags:
      (options.recursiveBind ? RECURSIVE : 0) |
      (options.recursiveAttributes ? RECURSIVE_ATTRIBUTES : 0) |
      ((propagation & MS_REC) === 0 ? 0 : RECURSIVE_PROPAGATION) |
      (held ? HELD : 0),
    set: options.set,
    clear: options.clear,
    // What was held is shared, and must stay in the host's group. mount_setattr has AT_RECURSIVE for MS_REC.
    propagation: held ? 0 : propagation & ~MS_REC,
  };
  if (mount.subpath !== undefined)
    return {
      op: "root-bind-below",
      below: mount.subpath,
      ...how,
      why: `${mount.subpath} in ${mount.source} was asked for, wherever its own links lead`,
    };
  return {
    op: "root-bind",
    ...how,
    why: `the host's ${mount.source} was asked for${(options.set & MOUNT_ATTR_RDONLY) === 0 ? "" : ", to be read"}`,
  };
}

/**
 * The container's view of cgroups. Its group's directory is bound, which costs no new file system as a cgroup mount would;
 * seen from its cgroup namespace the two are the same.
 */
function planCgroupView(mount: Mount, { layout, path }: GroupView): Step[] {
  const attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV;
  const readonly = (parseMountOptions(mount.options ?? []).set & MOUNT_ATTR_RDONLY) === 0 ? 0 : MOUNT_ATTR_RDONLY;
  const bind = (source: string, target: string): Step => ({
    op: "root-bind",
    source,
    target,
    flags: 0,
    set: attributes | readonly,
    clear: 0,
    propagation: MS_PRIVATE,
    why: "its own control group, for reading only",
  });
  if (layout.v2 !== undefined && isUnified(layout)) return [bind(layout.v2.mountPoint + path, mount.destination)];
  if (layout.v1.length === 0) return [];
  const hierarchies = layout.v1.map((hierarchy) => {
    const name = hierarchy.mountPoint.split("/").at(-1) ?? "";
    return {
      name,
      controllers: hierarchy.controllers,
      step: bind(hierarchy.mountPoint + path, `${mount.destination}/${name}`),
    };
  });
  const links = hierarchies
    .flatMap(({ name, controllers }) => controllers.filter((one) => one !== name).map((one) => ({ one, name })))
    .map(
      ({ one, name }): Step => ({
        op: "root-symlink",
        target: name,
        path: `${mount.destination}/${one}`,
        why: "programs look for a controller by its own name",
      }),
    );
  return [
    {
      op: "root-mount",
      fstype: "tmpfs",
      source: "cgroup",
      target: mount.destination,
      attributes,
      options: ["mode=755"],
      why: "a place for one directory per cgroup v1 hierarchy",
    },
    ...hierarchies.map(({ step }) => step),
    ...links,
    ...(readonly === 0 ? [] : [sealed(mount.destination)]),
  ];
}

function sealed(path: string): Step {
  return {
    op: "root-attributes",
    path,
    set: MOUNT_ATTR_RDONLY,
    clear: 0,
    why: "the directory of hierarchies is complete",
  };
}
