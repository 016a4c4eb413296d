/**
 * The parent of the containers' groups (/orlop), prepared once, so that a container's group works from its first moment.
 *
 * v1: a fresh cpuset group has no CPUs and no memory nodes, and nothing can join it; `cgroup.clone_children` makes its
 * children copy what it has. v2: a group has the controllers that its parent's `cgroup.subtree_control` passes on.
 */

import type { Step } from "../step.ts";
import { checkGroupPath } from "./group.ts";
import { type CgroupLayout, hierarchyOf, isUnified } from "./layout.ts";

const bytes = new TextEncoder();

/** The v2 controllers that Orlop uses. */
const wanted = ["cpu", "cpuset", "io", "memory", "pids"];

/** Reads a small file; undefined when it does not exist. */
export type ReadText = (path: string) => string | undefined;

/** Steps that prepare `path` and its parents to hold containers' groups, without those that were done already. */
export function planGroupParent(layout: CgroupLayout, path: string, read: ReadText): Step[] {
  checkGroupPath(path);
  const ancestors = path.split("/").map((_, index, parts) => parts.slice(0, index + 1).join("/"));
  if (layout.v2 !== undefined && isUnified(layout)) {
    const { mountPoint } = layout.v2;
    return [makeDirectory(mountPoint + path), ...ancestors.flatMap((at) => passOn(mountPoint + at, layout, read))];
  }
  const cpuset = hierarchyOf(layout, "cpuset");
  return [
    ...layout.v1.map((hierarchy) => makeDirectory(hierarchy.mountPoint + path)),
    ...(cpuset === undefined ? [] : initialiseCpuset(cpuset.mountPoint, ancestors.slice(1), read)),
  ];
}

function makeDirectory(path: string): Step {
  return { op: "mkdir", path, mode: 0o755, why: "the control group that holds all containers" };
}

function passOn(directory: string, layout: CgroupLayout, read: ReadText): Step[] {
  const passed = (read(`${directory}/cgroup.subtree_control`) ?? "").split(/\s+/);
  const missing = wanted.filter((name) => layout.v2?.controllers.includes(name) && !passed.includes(name));
  return missing.map((name) => ({
    op: "write",
    path: `${directory}/cgroup.subtree_control`,
    data: bytes.encode(`+${name}`),
    why: `groups below may limit ${name}`,
  }));
}

function initialiseCpuset(mountPoint: string, ancestors: readonly string[], read: ReadText): Step[] {
  const cpus = read(`${mountPoint}/cpuset.cpus`)?.trim() ?? "";
  const mems = read(`${mountPoint}/cpuset.mems`)?.trim() ?? "";
  return ancestors.flatMap((at): Step[] => {
    const directory = mountPoint + at;
    const write = (file: string, value: string, why: string): Step[] =>
      (read(`${directory}/${file}`)?.trim() ?? "") === value
        ? []
        : [{ op: "write", path: `${directory}/${file}`, data: bytes.encode(value), why }];
    const has = (file: string) => (read(`${directory}/${file}`)?.trim() ?? "") !== "";
    return [
      // What an administrator has set stays.
      ...(has("cpuset.cpus") ? [] : write("cpuset.cpus", cpus, "a cpuset without CPUs lets nobody in")),
      ...(has("cpuset.mems") ? [] : write("cpuset.mems", mems, "a cpuset without memory nodes lets nobody in")),
      ...write("cgroup.clone_children", "1", "each container's cpuset begins as a copy of this one"),
    ];
  });
}
