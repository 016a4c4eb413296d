/** What a group has used so far, from the files of either cgroup version. Counters only grow: a rate needs two readings. */

import { type CgroupLayout, hierarchyOf, isUnified } from "./layout.ts";
import type { ReadText } from "./parent.ts";

export interface GroupUsage {
  readonly cpu: CpuUsage;
  readonly memory: MemoryUsage;
  readonly pids: { readonly current: number /** undefined: without limit. */; readonly limit: number | undefined };
  readonly io: {
    readonly bytes: readonly IoCount[];
    /** By direction, as Docker has it: v1 only; undefined on v2. */
    readonly operations: readonly IoCount[] | undefined;
  };
}

export interface CpuUsage {
  readonly totalNs: number;
  readonly userNs: number;
  readonly kernelNs: number;
  /** v1 alone counts it. */
  readonly perCpuNs: readonly number[] | undefined;
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttledNs: number;
}

export interface MemoryUsage {
  readonly usageBytes: number;
  /** v1 alone. */
  readonly mostBytes: number | undefined;
  /** Of the group; undefined: without limit. */
  readonly limitBytes: number | undefined;
  /** How often the limit was hit (v1), or processes were ended for it (v2). */
  readonly failures: number | undefined;
  /** memory.stat, under the kernel's names. */
  readonly stats: Readonly<Record<string, number>>;
}

export interface IoCount {
  readonly major: number;
  readonly minor: number;
  /** "read", "write"; of v1 also "sync", "async", "discard", "total". */
  readonly op: string;
  readonly value: number;
}

/** cpuacct.stat counts in these (USER_HZ is 100 on every architecture that we know). */
const TICK_NS = 10_000_000;

/** undefined when the group is not there (any more). */
export function readUsage(layout: CgroupLayout, path: string, read: ReadText): GroupUsage | undefined {
  return isUnified(layout) ? readV2(`${layout.v2?.mountPoint}${path}`, read) : readV1(layout, path, read);
}

function readV1(layout: CgroupLayout, path: string, read: ReadText): GroupUsage | undefined {
  const file = (controller: string, name: string): string | undefined => {
    const mountPoint = hierarchyOf(layout, controller)?.mountPoint;
    return mountPoint === undefined ? undefined : read(`${mountPoint}${path}/${name}`);
  };
  const usage = file("cpuacct", "cpuacct.usage");
  const memory = file("memory", "memory.usage_in_bytes");
  if (usage === undefined && memory === undefined) return undefined;
  const stat = pairs(file("cpuacct", "cpuacct.stat"));
  const throttling = pairs(file("cpu", "cpu.stat"));
  return {
    cpu: {
      totalNs: Number(usage ?? 0),
      userNs: (stat["user"] ?? 0) * TICK_NS,
      kernelNs: (stat["system"] ?? 0) * TICK_NS,
      perCpuNs: (file("cpuacct", "cpuacct.usage_percpu") ?? "").trim().split(/\s+/).filter(Boolean).map(Number),
      periods: throttling["nr_periods"] ?? 0,
      throttledPeriods: throttling["nr_throttled"] ?? 0,
      throttledNs: throttling["throttled_time"] ?? 0,
    },
    memory: {
      usageBytes: Number(memory ?? 0),
      mostBytes: Number(file("memory", "memory.max_usage_in_bytes") ?? 0),
      limitBytes: limitOf(file("memory", "memory.limit_in_bytes")),
      failures: Number(file("memory", "memory.failcnt") ?? 0),
      stats: pairs(file("memory", "memory.stat")),
    },
    pids: { current: Number(file("pids", "pids.current") ?? 0), limit: limitOf(file("pids", "pids.max")) },
    io: {
      bytes: ioV1(
        file("blkio", "blkio.throttle.io_service_bytes_recursive") ?? file("blkio", "blkio.throttle.io_service_bytes"),
      ),
      operations: ioV1(
        file("blkio", "blkio.throttle.io_serviced_recursive") ?? file("blkio", "blkio.throttle.io_serviced"),
      ),
    },
  };
}

function readV2(group: string, read: ReadText): GroupUsage | undefined {
  const file = (name: string): string | undefined => read(`${group}/${name}`);
  const text = file("cpu.stat");
  if (text === undefined) return undefined;
  const cpu = pairs(text);
  const microseconds = (name: string): number => (cpu[name] ?? 0) * 1000;
  return {
    cpu: {
      totalNs: microseconds("usage_usec"),
      userNs: microseconds("user_usec"),
      kernelNs: microseconds("system_usec"),
      perCpuNs: undefined,
      periods: cpu["nr_periods"] ?? 0,
      throttledPeriods: cpu["nr_throttled"] ?? 0,
      throttledNs: microseconds("throttled_usec"),
    },
    memory: {
      usageBytes: Number(file("memory.current") ?? 0),
      mostBytes: undefined,
      limitBytes: limitOf(file("memory.max")),
      failures: pairs(file("memory.events"))["oom"],
      stats: pairs(file("memory.stat")),
    },
    pids: { current: Number(file("pids.current") ?? 0), limit: limitOf(file("pids.max")) },
    io: { bytes: ioV2(file("io.stat")), operations: undefined },
  };
}

/** Lines "NAME NUMBER". */
function pairs(text: string | undefined): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [, name = "", value] of (text ?? "").matchAll(/^(\S+) (\d+)$/gm)) found[name] = Number(value);
  return found;
}

/** "max", and v1's highest number (a page below 2^63), are no limits. */
function limitOf(text: string | undefined): number | undefined {
  const trimmed = (text ?? "max").trim();
  const limit = trimmed === "max" ? Number.POSITIVE_INFINITY : Number(trimmed);
  return limit >= 2 ** 62 ? undefined : limit;
}

/** Lines "8:0 Read 4096"; the last one, "Total 4096", is of no device. */
function ioV1(text: string | undefined): IoCount[] {
  return [...(text ?? "").matchAll(/^(\d+):(\d+) (\w+) (\d+)$/gm)].map(([, major, minor, op = "", value]) => ({
    major: Number(major),
    minor: Number(minor),
    op: op.toLowerCase(),
    value: Number(value),
  }));
}

/** Lines "8:0 rbytes=4096 wbytes=0 rios=1 …". */
function ioV2(text: string | undefined): IoCount[] {
  return [...(text ?? "").matchAll(/^(\d+):(\d+) (.*)$/gm)].flatMap(([, major, minor, counters = ""]) =>
    (["read", "write"] as const).map((op) => ({
      major: Number(major),
      minor: Number(minor),
      op,
      value: Number(new RegExp(`\\b${op[0]}bytes=(\\d+)`).exec(counters)?.[1] ?? 0),
    })),
  );
}
