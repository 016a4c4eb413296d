/** Which cgroup hierarchies there are, and what containers cannot be limited in. */
import { type CgroupLayout, isUnified, parseCgroupLayout } from "../kernel/cgroup/layout.ts";
import { type MountInfo, parseMountInfo } from "../kernel/mountinfo.ts";
import { type Finding, missing, ok, warning } from "./finding.ts";
import type { Machine } from "./machine.ts";

/** Controllers, and what does not work without each. `v1Only`: v2 does it without a controller. */
const controllers = [
  { name: "memory", loses: "--memory", fix: 'add "cgroup_enable=memory" to the kernel\'s command line' },
  { name: "cpu", loses: "--cpus, --cpu-shares", fix: "a kernel with CONFIG_CGROUP_SCHED" },
  { name: "cpuset", loses: "--cpuset-cpus, --cpuset-mems", fix: "a kernel with CONFIG_CPUSETS" },
  { name: "pids", loses: "--pids-limit", fix: "a kernel with CONFIG_CGROUP_PIDS" },
  { name: "devices", loses: "limiting devices", fix: "a kernel with CONFIG_CGROUP_DEVICE", v1Only: true },
  { name: "freezer", loses: "ending a container as a whole", fix: "a kernel with CONFIG_CGROUP_FREEZER", v1Only: true },
] as const;

export function checkCgroups(machine: Machine): Finding[] {
  const mounts = parseMountInfo(machine.readText("/proc/self/mountinfo") ?? "");
  const v2 = mounts.find((mount) => mount.fstype === "cgroup2");
  const layout = parseCgroupLayout(
    mounts,
    v2 === undefined ? "" : (machine.readText(`${v2.mountPoint}/cgroup.controllers`) ?? ""),
  );
  if (layout.v1.length === 0 && layout.v2 === undefined)
    return [missing("cgroups", "no cgroup file system is mounted", "mount -t cgroup2 none /sys/fs/cgroup")];
  return [checkWritable(mounts, layout), ...checkControllers(layout)];
}

function checkWritable(mounts: readonly MountInfo[], layout: CgroupLayout): Finding {
  const kind = isUnified(layout)
    ? "version 2"
    : layout.v2 === undefined
      ? "version 1"
      : "version 1, with a version 2 tree beside it (hybrid)";
  const used = isUnified(layout) ? ["cgroup2"] : ["cgroup"];
  const locked = mounts.find((mount) => used.includes(mount.fstype) && mount.options.includes("ro"));
  if (locked === undefined) return ok("cgroups", kind);
  return missing(
    "cgroups",
    `${kind}, but ${locked.mountPoint} is read-only`,
    "if this is inside a container, start that with --privileged",
  );
}

function checkControllers(layout: CgroupLayout): Finding[] {
  const unified = isUnified(layout);
  const present = unified ? (layout.v2?.controllers ?? []) : layout.v1.flatMap((hierarchy) => hierarchy.controllers);
  const absent = controllers.filter(
    (controller) => !present.includes(controller.name) && !(unified && "v1Only" in controller),
  );
  if (absent.length === 0) return [ok("controllers", present.join(", "))];
  return absent.map(({ name, loses, fix }) => warning(`controller ${name}`, `missing: no ${loses}`, fix));
}
