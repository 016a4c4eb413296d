/**
 * Which cgroup hierarchies this machine has, and where. Probed once by the engine; everything else here is a function of it.
 *
 * Three kinds of machine: v2 alone ("unified": one tree with every controller), v1 alone, and both ("hybrid": v1
 * hierarchies with controllers, plus a v2 tree that has few or none).
 */

import type { MountInfo } from "../mountinfo.ts";

/** One v1 hierarchy. */
export interface CgroupV1Hierarchy {
  /** e.g. "/sys/fs/cgroup/cpu,cpuacct". */
  readonly mountPoint: string;
  /** e.g. ["cpu", "cpuacct"]; empty for a named hierarchy. */
  readonly controllers: readonly string[];
  /** e.g. "systemd" for name=systemd. */
  readonly name: string | undefined;
}

export interface CgroupLayout {
  readonly v1: readonly CgroupV1Hierarchy[];
  readonly v2: { readonly mountPoint: string; readonly controllers: readonly string[] } | undefined;
  /** A group's file for its block I/O weight, where this machine has one (`findWeightFile`). */
  readonly ioWeightFile?: string;
}

/** Names that appear as options of a cgroup mount and are no controllers. */
const mountFlags = new Set(["rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode", "favordynmods"]);

/**
 * The layout that these mounts make.
 *
 * @param v2Controllers the text of `cgroup.controllers` at the v2 mount ("" when there is none)
 */
export function parseCgroupLayout(mounts: readonly MountInfo[], v2Controllers: string): CgroupLayout {
  const v1 = new Map<string, CgroupV1Hierarchy>();
  let v2: CgroupLayout["v2"];
  for (const mount of mounts) {
    if (mount.fstype === "cgroup2") {
      v2 ??= { mountPoint: mount.mountPoint, controllers: v2Controllers.split(/\s+/).filter((name) => name !== "") };
    } else if (mount.fstype === "cgroup") {
      const options = mount.superOptions.filter(
        (option) => !mountFlags.has(option) && !option.startsWith("release_agent="),
      );
      const key = options.join(",");
      const name = options.find((option) => option.startsWith("name="))?.slice("name=".length);
      const controllers = options.filter((option) => !option.startsWith("name="));
      // The same hierarchy may be mounted twice (a bind mount): the first is the usual place.
      if (!v1.has(key)) v1.set(key, { mountPoint: mount.mountPoint, controllers, name });
    }
  }
  return { v1: [...v1.values()], v2 };
}

/** The v1 hierarchy that has this controller. */
export function hierarchyOf(layout: CgroupLayout, controller: string): CgroupV1Hierarchy | undefined {
  return layout.v1.find((hierarchy) => hierarchy.controllers.includes(controller));
}

/** Whether containers live in the v2 tree: it is the only one. With v1 hierarchies present, those have the controllers. */
export function isUnified(layout: CgroupLayout): boolean {
  return layout.v2 !== undefined && layout.v1.length === 0;
}
