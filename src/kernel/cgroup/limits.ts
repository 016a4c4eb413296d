/**
 * Limits as the files that hold them: one function per cgroup version, both from the same values (the runtime
 * specification's `linux.resources`, whose memory and CPU numbers are those of cgroup v1).
 */

import { OrlopError } from "../../base/errors.ts";
import type { IoLimits } from "./io-limits.ts";

/** Bytes, microseconds; -1 is unlimited. */
export interface CgroupLimits {
  readonly memory?: {
    readonly limit?: number;
    readonly reservation?: number;
    /** Memory and swap together. */
    readonly swap?: number;
    readonly swappiness?: number;
    readonly disableOOMKiller?: boolean;
  };
  readonly cpu?: {
    readonly shares?: number;
    readonly quota?: number;
    readonly period?: number;
    readonly cpus?: string;
    readonly mems?: string;
  };
  readonly pids?: { readonly limit: number };
  /** Its files are in `io-limits.ts`. */
  readonly blockIO?: IoLimits;
}

/** One file of a group. */
export interface GroupFile {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  readonly why: string;
  /** The kernel may be built or booted without it; then the limit is dropped with a warning, as Docker does. */
  readonly optional?: true;
}

/** For cgroup v1, in an order that the kernel accepts on a fresh group. */
export function limitFilesV1(limits: CgroupLimits): GroupFile[] {
  const { memory, cpu, pids } = limits;
  const files: GroupFile[] = [];
  const add = (controller: string, file: string, value: number | string, why: string, optional = false) =>
    files.push({ controller, file, value: String(value), why, ...(optional ? { optional } : {}) });

  if (memory?.limit !== undefined)
    add("memory", "memory.limit_in_bytes", memory.limit, "the most memory the container may use");
  // After the limit: the kernel refuses memory+swap below memory, and a fresh group has both unlimited.
  if (memory?.swap !== undefined)
    add("memory", "memory.memsw.limit_in_bytes", memory.swap, "the most memory and swap together", true);
  if (memory?.reservation !== undefined)
    add(
      "memory",
      "memory.soft_limit_in_bytes",
      memory.reservation,
      "memory it is pushed back to when the host runs short",
    );
  if (memory?.swappiness !== undefined)
    add("memory", "memory.swappiness", memory.swappiness, "how readily its pages are swapped out");
  if (memory?.disableOOMKiller === true)
    add("memory", "memory.oom_control", 1, "at the limit its processes wait instead of being killed");

  if (cpu?.shares) add("cpu", "cpu.shares", Math.max(2, cpu.shares), "its part of the CPU when others want it too");
  if (cpu?.period) add("cpu", "cpu.cfs_period_us", cpu.period, "how often its CPU quota is renewed");
  if (cpu?.quota) add("cpu", "cpu.cfs_quota_us", cpu.quota, "CPU time it may use in each period");
  if (cpu?.cpus) add("cpuset", "cpuset.cpus", cpu.cpus, "the CPUs it may run on");
  if (cpu?.mems) add("cpuset", "cpuset.mems", cpu.mems, "the memory nodes it may use");
  if (pids !== undefined && pids.limit > 0)
    add("pids", "pids.max", pids.limit, "the most processes and threads it may have");
  return files;
}

/**
 * For cgroup v2.
 *
 * @throws {OrlopError} bad_value for a limit below the memory it is to contain, limit_unsupported for one v2 does not have
 */
export function limitFilesV2(limits: CgroupLimits): GroupFile[] {
  const { memory, cpu, pids } = limits;
  const files: GroupFile[] = [];
  const add = (controller: string, file: string, value: number | string, why: string, optional = false) =>
    files.push({ controller, file, value: String(value), why, ...(optional ? { optional } : {}) });

  if (memory?.swappiness !== undefined)
    throw OrlopError.of("limit_unsupported", { limit: "memory swappiness", needs: "cgroup v1" });
  if (memory?.disableOOMKiller === true)
    throw OrlopError.of("limit_unsupported", { limit: "switching the OOM killer off", needs: "cgroup v1" });
  if (memory?.limit !== undefined)
    add("memory", "memory.max", orMax(memory.limit), "the most memory the container may use");
  const swap = swapOnly(memory);
  if (swap !== undefined) add("memory", "memory.swap.max", swap, "the most swap it may use", true);
  if (memory?.reservation !== undefined)
    add("memory", "memory.low", Math.max(0, memory.reservation), "memory that is taken from it last");

  if (cpu?.shares) add("cpu", "cpu.weight", cpuWeight(cpu.shares), "its part of the CPU when others want it too");
  if (cpu?.quota || cpu?.period)
    add("cpu", "cpu.max", cpuMax(cpu.quota, cpu.period), "CPU time it may use in each period, both in microseconds");
  if (cpu?.cpus) add("cpuset", "cpuset.cpus", cpu.cpus, "the CPUs it may run on");
  if (cpu?.mems) add("cpuset", "cpuset.mems", cpu.mems, "the memory nodes it may use");
  if (pids !== undefined && pids.limit > 0)
    add("pids", "pids.max", pids.limit, "the most processes and threads it may have");
  return files;
}

function orMax(value: number): string {
  return value < 0 ? "max" : String(value);
}

/** v2 counts swap alone, the specification memory and swap together. */
function swapOnly(memory: CgroupLimits["memory"]): string | undefined {
  if (memory?.swap === undefined) return undefined;
  if (memory.swap < 0) return "max";
  if (memory.limit === undefined || memory.limit < 0 || memory.swap < memory.limit)
    throw OrlopError.of("bad_value", {
      what: "memory-swap limit",
      value: String(memory.swap),
      expected: "at least the memory limit: it counts memory and swap together",
    });
  return String(memory.swap - memory.limit);
}

/** "QUOTA PERIOD"; 100 ms is the kernel's own period. */
function cpuMax(quota: number | undefined, period: number | undefined): string {
  const bounded = quota !== undefined && quota > 0 ? String(quota) : "max";
  return `${bounded} ${period || 100_000}`;
}

/**
 * The `cpu.weight` (1 to 10 000, normally 100) of `shares` (2 to 262 144, normally 1024): the curve through the three
 * pairs of ends and defaults on logarithmic scales, so that a container with the default shares has the default weight
 * beside processes that no engine started.
 *
 * @see https://github.com/kubernetes/enhancements/tree/master/keps/sig-node/2254-cgroup-v2
 */
export function cpuWeight(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const log = Math.log2(shares);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}
