/**
 * Docker's default container as a specification, and what `--privileged` changes. The engine applies the request on top. docs/security.md
 * has the same table for users.
 */

import { defaultDeviceRules } from "../kernel/device-rules.ts";
import type { Device, Linux, Mount, Namespace, NamespaceType, Process, RuntimeSpec } from "../spec/runtime-spec.ts";

export interface DefaultSpecInput {
  readonly process: Process;
  readonly hostname: string;
  readonly privileged: boolean;
  readonly readonlyRoot: boolean;
  /** The size of /dev/shm; Docker's default is 64 MiB. */
  readonly shmSizeBytes: number;
  /** Namespaces that are the host's (`--network host`), or joined by path. */
  readonly namespaces: Readonly<Partial<Record<NamespaceType, "host" | { readonly path: string }>>>;
  /** The network namespace that it joins was made for it. */
  readonly ownsNetwork?: boolean;
  readonly machine: MachineFacts;
}

/** Facts about the machine, which the engine reads once (`readMachineFacts`). */
export interface MachineFacts {
  /** The kernel has time namespaces (5.6). */
  readonly timeNamespaces: boolean;
  /** /sys/devices/system/cpu/cpuN/thermal_throttle, those that exist. */
  readonly thermalThrottle: readonly string[];
  /** Every node of the host's /dev, for privileged containers. */
  readonly devices: readonly Device[];
}

export function defaultSpec(input: DefaultSpecInput): RuntimeSpec {
  const { process, hostname, privileged, readonlyRoot, namespaces } = input;
  const ownNetwork = namespaces.network === undefined || input.ownsNetwork === true;
  return {
    ociVersion: "1.2.0",
    process,
    root: { path: "", readonly: readonlyRoot },
    ...(namespaces.uts === "host" ? {} : { hostname }),
    mounts: defaultMounts(input),
    linux: {
      namespaces: defaultNamespaces(input),
      resources: { devices: privileged ? [{ allow: true, access: "rwm" }] : defaultDeviceRules },
      ...(ownNetwork ? { sysctl: defaultSysctls } : {}),
      ...(privileged ? { devices: input.machine.devices } : protectedPaths(input.machine)),
    } satisfies Linux,
  };
}

const namespaceTypes: readonly NamespaceType[] = ["mount", "uts", "ipc", "pid", "network", "cgroup", "time"];

function defaultNamespaces({ namespaces, machine }: DefaultSpecInput): Namespace[] {
  return namespaceTypes.flatMap((type): Namespace[] => {
    const chosen = namespaces[type];
    if (chosen === "host" || (type === "time" && !machine.timeNamespaces)) return [];
    return [chosen === undefined ? { type } : { type, path: chosen.path }];
  });
}

function defaultMounts({ privileged, shmSizeBytes }: DefaultSpecInput): Mount[] {
  const access = privileged ? "rw" : "ro";
  return [
    { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", access] },
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: ["nosuid", "noexec", "nodev", access],
    },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
    {
      destination: "/dev/shm",
      type: "tmpfs",
      source: "shm",
      options: ["nosuid", "noexec", "nodev", "mode=1777", `size=${shmSizeBytes}`],
    },
  ];
}

const defaultSysctls = {
  "net.ipv4.ip_unprivileged_port_start": "0",
  "net.ipv4.ping_group_range": "0 2147483647",
};

/** Masked and read-only paths by default. */
export function protectedPaths(machine: MachineFacts): Pick<Linux, "maskedPaths" | "readonlyPaths"> {
  return {
    maskedPaths: [
      "/proc/acpi",
      "/proc/asound",
      "/proc/interrupts",
      "/proc/kcore",
      "/proc/keys",
      "/proc/latency_stats",
      "/proc/sched_debug",
      "/proc/scsi",
      "/proc/timer_list",
      "/proc/timer_stats",
      "/sys/devices/virtual/powercap",
      "/sys/firmware",
      ...machine.thermalThrottle,
    ],
    readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
  };
}
