/** Facts about the machine, read once at the engine's start. */

import { readFileSync } from "node:fs";
import { availableParallelism, hostname, release, totalmem } from "node:os";
import { type CgroupLayout, isUnified, parseCgroupLayout } from "../kernel/cgroup/layout.ts";
import type { MachineFacts } from "../runtime/default-spec.ts";
import { readHostFacts, readMachineFacts } from "../runtime/machine-facts.ts";
import type { HostFacts } from "../runtime/plan-container.ts";
import { readHostView } from "../storage/host-view.ts";
import { parseStorageDriver, type StorageDriver } from "../storage/upper.ts";
import { parseReadyStarts } from "./containers/likely-kinds.ts";

export interface Machine {
  readonly facts: MachineFacts;
  readonly host: HostFacts;
  readonly cgroups: CgroupLayout;
  /** The version that has the controllers: 1 on hybrid machines. */
  readonly cgroupVersion: 1 | 2;
  readonly cpus: number;
  /** The number of NUMA nodes, counted up to the highest id. */
  readonly memoryNodes: number;
  readonly memoryBytes: number;
  readonly hostname: string;
  /** As uname(2) gives it, e.g. "6.1.0-18-amd64". */
  readonly kernelRelease: string;
  /** The storage driver of new containers: ORLOP_STORAGE in the engine's environment. */
  readonly storageDriver: StorageDriver;
  /** The most starts of one kind that are begun ahead: ORLOP_READY_STARTS. */
  readonly readyStarts: number;
  /** The kernel's active security modules, e.g. "apparmor". */
  readonly securityModules: readonly string[];
  /** The number of the kernel's highest capability. */
  readonly lastCapability: number;
}

export function readMachine(): Machine {
  const { mounts } = readHostView();
  const v2 = mounts.find((mount) => mount.fstype === "cgroup2");
  const cgroups = parseCgroupLayout(
    mounts,
    v2 === undefined ? "" : (readText(`${v2.mountPoint}/cgroup.controllers`) ?? ""),
  );
  return {
    facts: readMachineFacts(),
    host: readHostFacts(),
    cgroups,
    cgroupVersion: isUnified(cgroups) ? 2 : 1,
    cpus: availableParallelism(),
    memoryNodes: Number(/(\d+)\s*$/.exec(readText("/sys/devices/system/node/online") ?? "0")?.[1]) + 1,
    memoryBytes: totalmem(),
    hostname: hostname(),
    kernelRelease: release(),
    storageDriver: parseStorageDriver(process.env["ORLOP_STORAGE"]),
    readyStarts: parseReadyStarts(process.env["ORLOP_READY_STARTS"]),
    securityModules: securityModules(),
    lastCapability: Number(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8")),
  };
}

function securityModules(): string[] {
  const names = (readText("/sys/kernel/security/lsm") ?? "").trim().split(",");
  // If securityfs is not mounted, these two are found otherwise.
  const found = [
    readText("/sys/module/apparmor/parameters/enabled")?.startsWith("Y") ? "apparmor" : "",
    readText("/sys/fs/selinux/enforce") === undefined ? "" : "selinux",
  ];
  return [...new Set([...names, ...found])].filter((name) => name !== "");
}

/** A small file's content; undefined when it does not exist. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
