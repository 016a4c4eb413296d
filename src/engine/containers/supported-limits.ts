/** Which resource limits the machine supports, by Docker's names, with Docker's warnings about the others. */

import { existsSync } from "node:fs";
import { hierarchyOf, isUnified } from "../../kernel/cgroup/layout.ts";
import type { Machine } from "../machine.ts";

export interface SupportedLimits {
  readonly facts: Readonly<Record<string, boolean>>;
  readonly warnings: readonly string[];
}

/** The files are looked for in the parent cgroup of all containers, because the root cgroup lacks some of them. */
const GROUP = "/orlop";

export function supportedLimits({ cgroups }: Pick<Machine, "cgroups">): SupportedLimits {
  const isV2 = isUnified(cgroups);
  const has = (controller: string, v1: string, v2: string): boolean => {
    const mountPoint = isV2 ? cgroups.v2?.mountPoint : hierarchyOf(cgroups, controller)?.mountPoint;
    return mountPoint !== undefined && existsSync(`${mountPoint}${GROUP}/${isV2 ? v2 : v1}`);
  };
  const facts = {
    MemoryLimit: has("memory", "memory.limit_in_bytes", "memory.max"),
    SwapLimit: has("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"),
    KernelMemory: false,
    KernelMemoryTCP: false,
    CpuCfsPeriod: has("cpu", "cpu.cfs_period_us", "cpu.max"),
    CpuCfsQuota: has("cpu", "cpu.cfs_quota_us", "cpu.max"),
    CPUShares: has("cpu", "cpu.shares", "cpu.weight"),
    CPUSet: has("cpuset", "cpuset.cpus", "cpuset.cpus"),
    PidsLimit: has("pids", "pids.max", "pids.max"),
    OomKillDisable: !isV2 && has("memory", "memory.oom_control", ""),
  };
  const missing: readonly (readonly [boolean, string])[] = [
    [facts.MemoryLimit, "No memory limit support"],
    [facts.SwapLimit, "No swap limit support"],
    [facts.CpuCfsQuota, "No cpu cfs quota support"],
    [facts.CPUShares, "No cpu shares support"],
    [facts.CPUSet, "No cpuset support"],
    [facts.PidsLimit, "No pids limit support"],
  ];
  return { facts, warnings: missing.filter(([isThere]) => !isThere).map(([, text]) => `WARNING: ${text}`) };
}
