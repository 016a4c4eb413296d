/** What the engine knows of its machine: looked at once, at its start. */

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
  /** Where limits are: 1 on hybrid machines too. */
  readonly cgroupVersion: 1 | 2;
  readonly cpus: number;
  /** The highest number of one, and one. */
  readonly memoryNodes: number;
  readonly memoryBytes: number;
  readonly hostname: string;
  /** As uname(2) gives it, e.g. "6.1.0-18-amd64". */
  readonly kernelRelease: string;
  /** How new containers keep their roots: ORLOP_STORAGE of the engine's environment. */
  readonly storageDriver: StorageDriver;
  /** How many starts of a kind are begun ahead at most: ORLOP_READY_STARTS. */
  readonly readyStarts: number;
  /** Those that the kernel uses (lsm(7)). */
  readonly securityModules: readonly string[];
  /** The highest capability that the kernel has. */
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
  // securityfs may not be mounted.
  const found = [
    readText("/sys/module/apparmor/parameters/enabled")?.startsWith("Y") ? "apparmor" : "",
    readText("/sys/fs/selinux/enforce") === undefined ? "" : "selinux",
  ];
  return [...new Set([...names, ...found])].filter((name) => name !== "");
}

/** A small file's content; undefined when it is not there. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
