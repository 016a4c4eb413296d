/** What the files of a group say, in both versions. */

import { expect, test } from "bun:test";
import type { CgroupLayout } from "./layout.ts";
import { readUsage } from "./usage.ts";

function reading(files: Readonly<Record<string, string>>) {
  return (path: string) => files[path];
}

const v1: CgroupLayout = {
  v1: [
    { mountPoint: "/cg/cpu", controllers: ["cpu", "cpuacct"], name: undefined },
    { mountPoint: "/cg/memory", controllers: ["memory"], name: undefined },
    { mountPoint: "/cg/pids", controllers: ["pids"], name: undefined },
    { mountPoint: "/cg/blkio", controllers: ["blkio"], name: undefined },
  ],
  v2: undefined,
};

test("cgroup v1", () => {
  const usage = readUsage(
    v1,
    "/a",
    reading({
      "/cg/cpu/a/cpuacct.usage": "123456789\n",
      "/cg/cpu/a/cpuacct.usage_percpu": "23456789 100000000 \n",
      "/cg/cpu/a/cpuacct.stat": "user 5\nsystem 7\n",
      "/cg/cpu/a/cpu.stat": "nr_periods 9\nnr_throttled 4\nthrottled_time 321\n",
      "/cg/memory/a/memory.usage_in_bytes": "4096\n",
      "/cg/memory/a/memory.max_usage_in_bytes": "8192\n",
      "/cg/memory/a/memory.limit_in_bytes": "9223372036854771712\n",
      "/cg/memory/a/memory.failcnt": "2\n",
      "/cg/memory/a/memory.stat": "cache 1\ntotal_inactive_file 3\n",
      "/cg/pids/a/pids.current": "6\n",
      "/cg/pids/a/pids.max": "max\n",
      "/cg/blkio/a/blkio.throttle.io_service_bytes_recursive":
        "8:0 Read 512\n8:0 Write 1024\n8:0 Total 1536\nTotal 1536\n",
      "/cg/blkio/a/blkio.throttle.io_serviced": "8:0 Read 1\nTotal 1\n",
    }),
  );
  expect(usage).toEqual({
    cpu: {
      totalNs: 123_456_789,
      userNs: 50_000_000,
      kernelNs: 70_000_000,
      perCpuNs: [23_456_789, 100_000_000],
      periods: 9,
      throttledPeriods: 4,
      throttledNs: 321,
    },
    memory: {
      usageBytes: 4096,
      mostBytes: 8192,
      limitBytes: undefined,
      failures: 2,
      stats: { cache: 1, total_inactive_file: 3 },
    },
    pids: { current: 6, limit: undefined },
    io: {
      bytes: [
        { major: 8, minor: 0, op: "read", value: 512 },
        { major: 8, minor: 0, op: "write", value: 1024 },
        { major: 8, minor: 0, op: "total", value: 1536 },
      ],
      operations: [{ major: 8, minor: 0, op: "read", value: 1 }],
    },
  });
});

test("cgroup v2", () => {
  const layout: CgroupLayout = { v1: [], v2: { mountPoint: "/cg", controllers: [] } };
  const usage = readUsage(
    layout,
    "/a",
    reading({
      "/cg/a/cpu.stat":
        "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnr_periods 3\nnr_throttled 2\nthrottled_usec 1\nnr_bursts 0\n",
      "/cg/a/memory.current": "4096\n",
      "/cg/a/memory.max": "1048576\n",
      "/cg/a/memory.events": "low 0\noom 1\noom_kill 1\n",
      "/cg/a/memory.stat": "anon 5\ninactive_file 6\n",
      "/cg/a/pids.current": "2\n",
      "/cg/a/pids.max": "50\n",
      "/cg/a/io.stat": "8:0 rbytes=512 wbytes=1024 rios=1 wios=2 dbytes=9 dios=9\n254:1 \n",
    }),
  );
  expect(usage).toEqual({
    cpu: {
      totalNs: 30_000,
      userNs: 10_000,
      kernelNs: 20_000,
      perCpuNs: undefined,
      periods: 3,
      throttledPeriods: 2,
      throttledNs: 1000,
    },
    memory: {
      usageBytes: 4096,
      mostBytes: undefined,
      limitBytes: 1_048_576,
      failures: 1,
      stats: { anon: 5, inactive_file: 6 },
    },
    pids: { current: 2, limit: 50 },
    io: {
      bytes: [
        { major: 8, minor: 0, op: "read", value: 512 },
        { major: 8, minor: 0, op: "write", value: 1024 },
        { major: 254, minor: 1, op: "read", value: 0 },
        { major: 254, minor: 1, op: "write", value: 0 },
      ],
      operations: undefined,
    },
  });
});

test("a group that is gone has used nothing", () => {
  expect(readUsage(v1, "/a", () => undefined)).toBeUndefined();
});
