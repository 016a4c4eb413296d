/** Masked and read-only paths in the finished root, before it becomes the container's `/`. */

import { seeded } from "../base/point.ts";
import { MOUNT_ATTR_RDONLY } from "../kernel/linux.ts";
import type { Step } from "../kernel/step.ts";
import type { RuntimeSpec } from "../spec/runtime-spec.ts";

/** Masks are the last mounts: nothing may be mounted over, or read through, what they hide. */
export function planProtect(spec: RuntimeSpec): Step[] {
  const { readonlyPaths = [], maskedPaths = [] } = spec.linux ?? {};
  return [
    ...readonlyPaths.map(
      (path): Step => ({ op: "root-readonly", path, why: `${about(path)}: it can be read, and not changed` }),
    ),
    ...(seeded("golden.masks") ? [] : maskedPaths).map(
      (path): Step => ({ op: "root-mask", path, why: `${about(path)}: none of the container's business` }),
    ),
  ];
}

/** A read-only root, once everything that the plan writes below it is written. */
export function planReadonlyRoot(spec: RuntimeSpec): Step[] {
  if (spec.root?.readonly !== true) return [];
  return [
    { op: "root-attributes", path: "/", set: MOUNT_ATTR_RDONLY, clear: 0, why: "a read-only root was asked for" },
  ];
}

/** Reasons for the known paths, for `orlop explain`. */
const subjects: Readonly<Record<string, string>> = {
  "/proc/acpi": "power control",
  "/proc/asound": "the host's sound devices",
  "/proc/bus": "the host's buses",
  "/proc/fs": "switches of the host's file systems",
  "/proc/interrupts": "the timing of the host's interrupts gives its keystrokes away",
  "/proc/irq": "which CPU serves which interrupt",
  "/proc/kcore": "the kernel's memory",
  "/proc/keys": "kernel keys, the host's too",
  "/proc/latency_stats": "the timing of the host's work",
  "/proc/sched_debug": "every process of the host",
  "/proc/scsi": "the host's disks",
  "/proc/sys": "the host's kernel settings",
  "/proc/sysrq-trigger": "a letter written here reboots the host",
  "/proc/timer_list": "kernel timers and addresses",
  "/proc/timer_stats": "kernel timers",
  "/sys/devices/virtual/powercap": "power meters, exact enough to spy on computations",
  "/sys/firmware": "the host's firmware",
};

function about(path: string): string {
  return subjects[path] ?? (path.endsWith("/thermal_throttle") ? "heat counters, a channel between containers" : path);
}
