/** The machine that was measured, in a few words: figures of another one cannot be compared. */

import { readFileSync } from "node:fs";
import { arch, cpus, loadavg, release, totalmem } from "node:os";

export function describeMachine(): string[] {
  const mounts = readFileSync("/proc/1/mounts", "utf8"); // the machine's: ours are changed for the measurement
  const name = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "unknown system";
  const virtual = /^flags.*\bhypervisor\b/m.test(readFileSync("/proc/cpuinfo", "utf8"))
    ? "virtual machine"
    : "bare metal";
  const root = /^\S+ \/ (\S+) /m.exec(mounts)?.[1] ?? "unknown";
  return [
    `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown"} (${virtual}, ${arch()}), ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${name}, Linux ${release()}, ${cgroupKind(mounts)}, root on ${root}`,
    `load average of the minute before: ${loadavg()[0]?.toFixed(1)} (0 is a machine that did nothing else)`,
  ];
}

function cgroupKind(mounts: string): string {
  const v1 = /^\S+ \S+ cgroup /m.test(mounts);
  const v2 = /^\S+ \S+ cgroup2 /m.test(mounts);
  if (v1) return v2 ? "cgroup v1 (hybrid)" : "cgroup v1";
  return "cgroup v2";
}
