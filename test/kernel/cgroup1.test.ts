import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { groupDirectories } from "../../src/kernel/cgroup/group.ts";
import type { Resources, RuntimeSpec } from "../../src/spec/runtime-spec.ts";
import { cgroups, runContainer } from "./container.ts";
import { kernelTest } from "./harness.ts";

const needs = ["root", "executor", "busybox", "overlay", "cgroup1"] as const;
const MiB = 1024 * 1024;

const withLimits = (limits: Resources) => ({
  change: (spec: RuntimeSpec): RuntimeSpec => ({
    ...spec,
    linux: { ...spec.linux, resources: { ...spec.linux?.resources, ...limits } },
  }),
});

kernelTest("it is in its own group in every hierarchy, which is all it sees", [...needs], async (scratch) => {
  const { stdout } = await runContainer(
    scratch,
    "cat /proc/self/cgroup; ls /sys/fs/cgroup; ls /sys/fs/cgroup/pids; mkdir /sys/fs/cgroup/pids/x",
  );
  const lines = stdout.trim().split("\n");
  const groups = lines.filter((line) => /^\d+:.+:/.test(line));
  expect(groups).toHaveLength(cgroups.v1.length);
  expect(groups.filter((line) => !line.endsWith(":/"))).toEqual([]);
  for (const { mountPoint } of cgroups.v1) expect(lines).toContain(mountPoint.slice("/sys/fs/cgroup/".length));
  expect(lines).toContain("pids.max");
  expect(lines).not.toContain("orlop");
});

kernelTest("every limit is in the file that holds it", [...needs], async (scratch) => {
  const limits: Resources = {
    memory: { limit: 64 * MiB, swap: 96 * MiB, reservation: 32 * MiB, swappiness: 10 },
    cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "0", mems: "0" },
    pids: { limit: 33 },
  };
  const files = {
    "memory/memory.limit_in_bytes": 64 * MiB,
    "memory/memory.memsw.limit_in_bytes": 96 * MiB,
    "memory/memory.soft_limit_in_bytes": 32 * MiB,
    "memory/memory.swappiness": 10,
    "cpu/cpu.shares": 512,
    "cpu/cpu.cfs_quota_us": 50_000,
    "cpu/cpu.cfs_period_us": 100_000,
    "cpuset/cpuset.cpus": 0,
    "cpuset/cpuset.mems": 0,
    "pids/pids.max": 33,
  };
  const { stdout } = await runContainer(
    scratch,
    `cd /sys/fs/cgroup; cat ${Object.keys(files).join(" ")}`,
    withLimits(limits),
  );
  expect(stdout.trim().split("\n").map(Number)).toEqual(Object.values(files));
});

kernelTest("more memory than its limit ends it, and nothing else", [...needs], async (scratch) => {
  const limits = withLimits({ memory: { limit: 16 * MiB, swap: 16 * MiB } });
  const { status } = await runContainer(scratch, "exec head -c 200000000 /dev/zero | tail > /dev/null", limits);
  expect([137 << 8, 9]).toContain(status);
});

kernelTest("more processes than its limit cannot be made", [...needs], async (scratch) => {
  const { stderr } = await runContainer(
    scratch,
    "for i in 1 2 3 4 5 6 7 8; do sleep 100 & done; wait",
    withLimits({ pids: { limit: 4 } }),
  );
  expect(stderr).toContain("can't fork");
});

kernelTest("CPUs beyond the machine's are refused by the kernel, with the file's name", [...needs], async (scratch) => {
  await expect(runContainer(scratch, "true", withLimits({ cpu: { cpus: "999" } }))).rejects.toThrow("write");
});

kernelTest("afterwards its groups are gone, also when it left processes behind", [...needs], async (scratch) => {
  const path = `/orlop/test-${crypto.randomUUID()}`;
  await runContainer(scratch, "sleep 100 & exit 0", {
    namespaces: { pid: "host" },
    change: (spec) => ({ ...spec, linux: { ...spec.linux, cgroupsPath: path } }),
  });
  expect(groupDirectories(cgroups, path).filter((directory) => existsSync(directory))).toEqual([]);
});
