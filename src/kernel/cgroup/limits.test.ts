import { expect, test } from "bun:test";
import { type CgroupLimits, cpuWeight, type GroupFile, limitFilesV1, limitFilesV2 } from "./limits.ts";

const MiB = 1024 * 1024;

function written(files: readonly GroupFile[]): string[] {
  return files.map((file) => `${file.file}=${file.value}${file.optional ? "?" : ""}`);
}

test.each<[string, CgroupLimits, string[], string[]]>([
  ["nothing", {}, [], []],
  ["memory", { memory: { limit: 64 * MiB } }, ["memory.limit_in_bytes=67108864"], ["memory.max=67108864"]],
  [
    "memory, then memory with swap",
    { memory: { swap: 96 * MiB, limit: 64 * MiB } },
    ["memory.limit_in_bytes=67108864", "memory.memsw.limit_in_bytes=100663296?"],
    ["memory.max=67108864", "memory.swap.max=33554432?"],
  ],
  [
    "no swap at all",
    { memory: { limit: MiB, swap: MiB } },
    ["memory.limit_in_bytes=1048576", "memory.memsw.limit_in_bytes=1048576?"],
    ["memory.max=1048576", "memory.swap.max=0?"],
  ],
  [
    "swap without end",
    { memory: { limit: MiB, swap: -1 } },
    ["memory.limit_in_bytes=1048576", "memory.memsw.limit_in_bytes=-1?"],
    ["memory.max=1048576", "memory.swap.max=max?"],
  ],
  ["a reservation", { memory: { reservation: MiB } }, ["memory.soft_limit_in_bytes=1048576"], ["memory.low=1048576"]],
  [
    "one and a half CPUs",
    { cpu: { quota: 150_000, period: 100_000 } },
    ["cpu.cfs_period_us=100000", "cpu.cfs_quota_us=150000"],
    ["cpu.max=150000 100000"],
  ],
  ["a quota in the usual period", { cpu: { quota: 50_000 } }, ["cpu.cfs_quota_us=50000"], ["cpu.max=50000 100000"]],
  ["a quota without end", { cpu: { quota: -1 } }, ["cpu.cfs_quota_us=-1"], ["cpu.max=max 100000"]],
  ["shares", { cpu: { shares: 512 } }, ["cpu.shares=512"], ["cpu.weight=59"]],
  ["shares left at 0", { cpu: { shares: 0 } }, [], []],
  [
    "CPUs and memory nodes",
    { cpu: { cpus: "0-1", mems: "0" } },
    ["cpuset.cpus=0-1", "cpuset.mems=0"],
    ["cpuset.cpus=0-1", "cpuset.mems=0"],
  ],
  ["processes", { pids: { limit: 100 } }, ["pids.max=100"], ["pids.max=100"]],
  ["processes without end", { pids: { limit: -1 } }, [], []],
])("%s", (_name, limits, v1, v2) => {
  expect(written(limitFilesV1(limits))).toEqual(v1);
  expect(written(limitFilesV2(limits))).toEqual(v2);
});

test("v1 alone has swappiness and an OOM killer that can be switched off", () => {
  const limits = { memory: { swappiness: 10, disableOOMKiller: true } };
  expect(written(limitFilesV1(limits))).toEqual(["memory.swappiness=10", "memory.oom_control=1"]);
  expect(() => limitFilesV2(limits)).toThrow("cgroup v1");
});

test("v2 refuses a swap limit below the memory limit, as v1's kernel would", () => {
  expect(() => limitFilesV2({ memory: { limit: 2 * MiB, swap: MiB } })).toThrow("memory-swap");
});

test.each([
  [2, 1],
  [1024, 100],
  [262_144, 10_000],
])("%d shares weigh %d", (shares, weight) => {
  expect(cpuWeight(shares)).toBe(weight);
});

test("more shares never weigh less", () => {
  const weights = Array.from({ length: 2000 }, (_, i) => cpuWeight(2 + i * 131));
  expect(weights).toEqual(weights.toSorted((a, b) => a - b));
});
