import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { groupDirectories } from "../../src/kernel/cgroup/group.ts";
import type { Resources, RuntimeSpec } from "../../src/spec/runtime-spec.ts";
import { cgroups, runContainer } from "./container.ts";
import { kernelTest } from "./harness.ts";

const needs = ["root", "executor", "busybox", "overlay", "cgroup2"] as const;
const MiB = 1024 * 1024;

const withLimits = (limits: Resources) => ({
  change: (spec: RuntimeSpec): RuntimeSpec => ({
    ...spec,
    linux: { ...spec.linux, resources: { ...spec.linux?.resources, ...limits } },
  }),
});

kernelTest("it starts in its own group, which is the root of all it sees", [...needs], async (scratch) => {
  const { stdout, stderr } = await runContainer(
    scratch,
    "cat /proc/self/cgroup /sys/fs/cgroup/cgroup.procs; mkdir /sys/fs/cgroup/x",
  );
  expect(stdout).toMatch(/^0::\/\n1\n\d+\n$/); // the shell and cat
  expect(stderr).toContain("Read-only file system");
});

kernelTest("every limit is in the file that holds it", [...needs], async (scratch) => {
  const limits: Resources = {
    memory: { limit: 64 * MiB, swap: 96 * MiB, reservation: 32 * MiB },
    cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "0", mems: "0" },
    pids: { limit: 33 },
  };
  const files = {
    "memory.max": String(64 * MiB),
    "memory.low": String(32 * MiB),
    "cpu.weight": "59",
    "cpu.max": "50000 100000",
    "cpuset.cpus": "0",
    "cpuset.mems": "0",
    "pids.max": "33",
  };
  const script = `cd /sys/fs/cgroup; cat ${Object.keys(files).join(" ")}`;
  const { stdout } = await runContainer(scratch, script, withLimits(limits));
  expect(stdout.trim().split("\n")).toEqual(Object.values(files));
});

kernelTest("more memory than its limit ends it, and nothing else", [...needs], async (scratch) => {
  const limits = withLimits({ memory: { limit: 16 * MiB, swap: 16 * MiB } });
  const { status } = await runContainer(scratch, "exec head -c 200000000 /dev/zero | tail > /dev/null", limits);
  expect([137 << 8, 9]).toContain(status);
});

kernelTest("more processes than its limit cannot be made", [...needs], async (scratch) => {
  const script = "for i in 1 2 3 4 5 6 7 8; do sleep 100 & done; wait";
  const { stderr } = await runContainer(scratch, script, withLimits({ pids: { limit: 4 } }));
  expect(stderr).toContain("can't fork");
});

kernelTest("afterwards its group is gone, also when it left processes behind", [...needs], async (scratch) => {
  const path = `/orlop/test-${crypto.randomUUID()}`;
  await runContainer(scratch, "sleep 100 & exit 0", {
    namespaces: { pid: "host" },
    change: (spec) => ({ ...spec, linux: { ...spec.linux, cgroupsPath: path } }),
  });
  expect(groupDirectories(cgroups, path).filter((directory) => existsSync(directory))).toEqual([]);
});
