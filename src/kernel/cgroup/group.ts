/**
 * A container's cgroup: made, joined, emptied and removed. Its path is the same in every hierarchy, /orlop/ID by default.
 *
 * No pid is ever written to `cgroup.procs`: moving another process waits for an RCU grace period (11–16 ms over eight v1
 * hierarchies). On v1 the new process moves itself by writing 0 to `tasks`; on v2 clone3 starts it in the group.
 */

import { OrlopError } from "../../base/errors.ts";
import type { DeviceRule } from "../device-rules.ts";
import type { Step } from "../step.ts";
import { deviceFilesV1 } from "./devices-v1.ts";
import { ioFiles } from "./io-limits.ts";
import { type CgroupLayout, type CgroupV1Hierarchy, hierarchyOf, isUnified } from "./layout.ts";
import { type CgroupLimits, type GroupFile, limitFilesV1, limitFilesV2 } from "./limits.ts";

const bytes = new TextEncoder();

/** What a plan with `spawn` needs of the container's group. */
export interface GroupPlan {
  /** Before the process exists: the directories, and what is written to their files. */
  readonly prepare: readonly Step[];
  /** The v2 directory for CLONE_INTO_CGROUP; "" on v1. */
  readonly cloneInto: string;
  /** The first steps of the new process. */
  readonly join: readonly Step[];
}

/**
 * The group at `path` with these limits.
 *
 * @param deviceProgram compiles rules to the BPF program that v2 has in place of files
 * @throws {OrlopError} limit_unsupported when a limit is asked for whose controller is missing; bad_value for a path with ".."
 */
export function planGroup(
  layout: CgroupLayout,
  path: string,
  limits: CgroupLimits & { readonly devices?: readonly DeviceRule[] },
  deviceProgram: (rules: readonly DeviceRule[]) => Uint8Array,
): GroupPlan {
  checkGroupPath(path);
  const devices = limits.devices ?? [];
  if (layout.v2 !== undefined && isUnified(layout)) {
    const directory = layout.v2.mountPoint + path;
    const files = groupFilesOf(layout, limits).map((file) => writeGroupFile(layout, path, file));
    const program: Step[] =
      devices.length === 0
        ? []
        : [
            {
              op: "device-program",
              group: directory,
              program: deviceProgram(devices),
              why: "which devices it may use",
            },
          ];
    return { prepare: [makeStep(directory, "v2"), ...files, ...program], ...planGroupJoin(layout, path) };
  }
  const made = layout.v1.map((hierarchy) => makeStep(hierarchy.mountPoint + path, controllersOf(hierarchy)));
  // A machine without the devices controller has no device files to protect that a container's /dev would not hide.
  const deviceFiles = hierarchyOf(layout, "devices") === undefined ? [] : deviceFilesV1(devices);
  const files = [...groupFilesOf(layout, limits), ...deviceFiles].map((file) => writeGroupFile(layout, path, file));
  return { prepare: [...made, ...files], ...planGroupJoin(layout, path) };
}

/** How a new process joins an existing group. */
export function planGroupJoin(layout: CgroupLayout, path: string): Pick<GroupPlan, "cloneInto" | "join"> {
  checkGroupPath(path);
  if (layout.v2 !== undefined && isUnified(layout)) return { cloneInto: layout.v2.mountPoint + path, join: [] };
  const join = layout.v1.map(
    (hierarchy): Step => ({
      op: "write",
      path: `${hierarchy.mountPoint}${path}/tasks`,
      data: bytes.encode("0"),
      why: `join the group by itself: 0 is the writer (${controllersOf(hierarchy)})`,
    }),
  );
  return { cloneInto: "", join };
}

/**
 * The files that hold these limits on this machine.
 *
 * @throws {OrlopError} limit_unsupported when a limit is asked for whose controller is missing
 */
export function groupFilesOf(layout: CgroupLayout, limits: CgroupLimits): GroupFile[] {
  const own = isUnified(layout) ? limitFilesV2(limits) : limitFilesV1(limits);
  const files = [...own, ...ioFiles(layout, limits.blockIO ?? {})];
  const missing = files.find(({ controller }) =>
    isUnified(layout) ? !layout.v2?.controllers.includes(controller) : hierarchyOf(layout, controller) === undefined,
  );
  if (missing !== undefined) throw noController(missing);
  return files;
}

/** Writes one of the group's files, in the hierarchy that has it. */
export function writeGroupFile(layout: CgroupLayout, path: string, file: GroupFile): Step {
  const mountPoint = isUnified(layout) ? layout.v2?.mountPoint : hierarchyOf(layout, file.controller)?.mountPoint;
  if (mountPoint === undefined) throw noController(file);
  return writeStep(mountPoint + path, file);
}

/**
 * Steps that kill every process of the group. On v2 that is one write to `cgroup.kill` (kernel 5.14); on v1 the group is frozen, so
 * that no process can fork, and its processes are killed one by one.
 */
export function planGroupKill(layout: CgroupLayout, path: string): Step[] {
  checkGroupPath(path);
  const why = "nothing of the container may run on";
  if (layout.v2 !== undefined && isUnified(layout))
    return [{ op: "try-write", path: `${layout.v2.mountPoint}${path}/cgroup.kill`, data: bytes.encode("1"), why }];
  const freezer = hierarchyOf(layout, "freezer");
  const listed = freezer ?? hierarchyOf(layout, "pids") ?? layout.v1[0];
  if (listed === undefined) return [];
  const tasks = `${listed.mountPoint}${path}/tasks`;
  return [
    {
      op: "kill-group",
      tasks,
      freezer: freezer === undefined ? "" : `${freezer.mountPoint}${path}/freezer.state`,
      why,
    },
  ];
}

/** Steps that remove the group, once it is empty. */
export function planGroupRemoval(layout: CgroupLayout, path: string): Step[] {
  checkGroupPath(path);
  return groupDirectories(layout, path).map((directory) => ({
    op: "rmdir",
    path: directory,
    why: "the group is empty: give its memory back",
  }));
}

/** The group's directory in each hierarchy that containers are in. */
export function groupDirectories(layout: CgroupLayout, path: string): string[] {
  if (layout.v2 !== undefined && isUnified(layout)) return [layout.v2.mountPoint + path];
  return layout.v1.map((hierarchy) => hierarchy.mountPoint + path);
}

/** NAME_MAX is the kernel's; PATH_MAX is less than the kernel's, because a mount point is put before the path and a file's name after it. */
const NAME_MAX = 255;
const PATH_MAX = 3800;

/** Absolute, clean, without "..": it is appended to each hierarchy's mount point. */
export function checkGroupPath(path: string): void {
  const parts = path.split("/").slice(1);
  const isWrong = (part: string): boolean => ["", ".", ".."].includes(part) || Buffer.byteLength(part) > NAME_MAX;
  if (!path.startsWith("/") || parts.some(isWrong) || Buffer.byteLength(path) > PATH_MAX)
    throw OrlopError.of("bad_value", {
      what: "cgroup path",
      value: path.slice(0, 100),
      expected: `an absolute path without . or .., of at most ${PATH_MAX} bytes and ${NAME_MAX} in a part`,
    });
}

function makeStep(path: string, what: string): Step {
  return { op: "mkdir", path, mode: 0o755, why: `the container's own control group (${what})` };
}

function writeStep(directory: string, file: GroupFile): Step {
  const op = file.optional ? "try-write" : "write";
  return { op, path: `${directory}/${file.file}`, data: bytes.encode(file.value), why: file.why };
}

function controllersOf(hierarchy: CgroupV1Hierarchy): string {
  return hierarchy.name === undefined ? hierarchy.controllers.join(", ") : `name=${hierarchy.name}`;
}

function noController(file: GroupFile): OrlopError {
  return OrlopError.of("limit_unsupported", {
    limit: `limiting ${file.file}`,
    needs: `the cgroup controller ${file.controller}`,
  });
}
