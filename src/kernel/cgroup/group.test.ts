import { expect, test } from "bun:test";
import { parseMountInfo } from "../mountinfo.ts";
import type { Step } from "../step.ts";
import { groupDirectories, planGroup, planGroupKill, planGroupRemoval } from "./group.ts";
import { type CgroupLayout, parseCgroupLayout } from "./layout.ts";
import { planGroupParent } from "./parent.ts";

const v1: CgroupLayout = {
  v1: [
    { mountPoint: "/sys/fs/cgroup/cpu,cpuacct", controllers: ["cpu", "cpuacct"], name: undefined },
    { mountPoint: "/sys/fs/cgroup/cpuset", controllers: ["cpuset"], name: undefined },
    { mountPoint: "/sys/fs/cgroup/freezer", controllers: ["freezer"], name: undefined },
    { mountPoint: "/sys/fs/cgroup/systemd", controllers: [], name: "systemd" },
  ],
  v2: { mountPoint: "/sys/fs/cgroup/unified", controllers: [] },
};
const v2: CgroupLayout = { v1: [], v2: { mountPoint: "/sys/fs/cgroup", controllers: ["cpu", "memory", "pids"] } };
const noDevices = () => new Uint8Array();

/** "op path" with what is written. */
function lines(steps: readonly Step[]): string[] {
  return steps.map((step) => {
    const data = "data" in step ? ` ${new TextDecoder().decode(step.data)}` : "";
    return `${step.op} ${"path" in step ? step.path : ""}${data}`;
  });
}

test("on v1 the container joins each hierarchy by itself, through tasks", () => {
  const plan = planGroup(v1, "/orlop/a", {}, noDevices);
  expect(lines(plan.join)).toEqual([
    "write /sys/fs/cgroup/cpu,cpuacct/orlop/a/tasks 0",
    "write /sys/fs/cgroup/cpuset/orlop/a/tasks 0",
    "write /sys/fs/cgroup/freezer/orlop/a/tasks 0",
    "write /sys/fs/cgroup/systemd/orlop/a/tasks 0",
  ]);
  expect(plan.cloneInto).toBe("");
});

test("on v2 it is cloned into its group and joins nothing", () => {
  const plan = planGroup(v2, "/orlop/a", { pids: { limit: 7 } }, noDevices);
  expect(plan.cloneInto).toBe("/sys/fs/cgroup/orlop/a");
  expect(plan.join).toEqual([]);
  expect(lines(plan.prepare)).toEqual(["mkdir /sys/fs/cgroup/orlop/a", "write /sys/fs/cgroup/orlop/a/pids.max 7"]);
});

test.each([
  ["v1", v1],
  ["v2", v2],
])("no plan for %s writes cgroup.procs", (_name, layout) => {
  const plan = planGroup(layout, "/orlop/a", { devices: [{ allow: false }] }, noDevices);
  const all = [
    ...plan.prepare,
    ...plan.join,
    ...planGroupKill(layout, "/orlop/a"),
    ...planGroupRemoval(layout, "/orlop/a"),
  ];
  expect(lines(all).filter((line) => line.includes("cgroup.procs"))).toEqual([]);
});

test("a limit whose controller is missing is refused, on v1 and v2", () => {
  expect(() => planGroup(v1, "/orlop/a", { memory: { limit: 1 } }, noDevices)).toThrow("the cgroup controller memory");
  expect(() => planGroup(v2, "/orlop/a", { cpu: { cpus: "0" } }, noDevices)).toThrow("the cgroup controller cpuset");
});

test("a machine without cgroups gives a plan without them", () => {
  const none: CgroupLayout = { v1: [], v2: undefined };
  expect(planGroup(none, "/orlop/a", { devices: [{ allow: false }] }, noDevices)).toEqual({
    prepare: [],
    cloneInto: "",
    join: [],
  });
  expect(planGroupKill(none, "/orlop/a")).toEqual([]);
  expect(groupDirectories(none, "/orlop/a")).toEqual([]);
});

test("v1 device rules become lines, the reset first", () => {
  const devices = [
    { allow: false },
    { allow: true, type: "c" as const, major: 1, minor: 3 },
    { allow: true, access: "m" },
  ];
  const layout: CgroupLayout = { v1: [{ mountPoint: "/d", controllers: ["devices"], name: undefined }], v2: undefined };
  expect(lines(planGroup(layout, "/a", { devices }, noDevices).prepare)).toEqual([
    "mkdir /d/a",
    "write /d/a/devices.deny a",
    "write /d/a/devices.allow c 1:3 rwm",
    "write /d/a/devices.allow b *:* m",
    "write /d/a/devices.allow c *:* m",
  ]);
});

test.each(["orlop/a", "/orlop/../a", "/orlop//a", "/", "/orlop/."])("the group path %s is refused", (path) => {
  expect(() => planGroup(v1, path, {}, noDevices)).toThrow("cgroup path");
});

test("killing freezes first on v1, and writes cgroup.kill on v2", () => {
  expect(planGroupKill(v1, "/orlop/a")).toMatchObject([
    {
      op: "kill-group",
      tasks: "/sys/fs/cgroup/freezer/orlop/a/tasks",
      freezer: "/sys/fs/cgroup/freezer/orlop/a/freezer.state",
    },
  ]);
  expect(lines(planGroupKill(v2, "/orlop/a"))).toEqual(["try-write /sys/fs/cgroup/orlop/a/cgroup.kill 1"]);
});

test("the parent's cpuset is filled once, and an administrator's choice stays", () => {
  const files: Record<string, string> = {
    "/sys/fs/cgroup/cpuset/cpuset.cpus": "0-3\n",
    "/sys/fs/cgroup/cpuset/cpuset.mems": "0\n",
  };
  const cpuset = "/sys/fs/cgroup/cpuset/orlop";
  const writes = () =>
    lines(planGroupParent(v1, "/orlop", (path) => files[path])).filter((line) => line.startsWith("write"));
  expect(writes()).toEqual([
    `write ${cpuset}/cpuset.cpus 0-3`,
    `write ${cpuset}/cpuset.mems 0`,
    `write ${cpuset}/cgroup.clone_children 1`,
  ]);
  files[`${cpuset}/cpuset.cpus`] = "1\n";
  files[`${cpuset}/cpuset.mems`] = "0\n";
  files[`${cpuset}/cgroup.clone_children`] = "1\n";
  expect(writes()).toEqual([]);
});

test("the v2 parent passes on what is there and not passed on yet, from the top down", () => {
  const files: Record<string, string> = { "/sys/fs/cgroup/cgroup.subtree_control": "memory pids\n" };
  expect(lines(planGroupParent(v2, "/orlop", (path) => files[path]))).toEqual([
    "mkdir /sys/fs/cgroup/orlop",
    "write /sys/fs/cgroup/cgroup.subtree_control +cpu",
    "write /sys/fs/cgroup/orlop/cgroup.subtree_control +cpu",
    "write /sys/fs/cgroup/orlop/cgroup.subtree_control +memory",
    "write /sys/fs/cgroup/orlop/cgroup.subtree_control +pids",
  ]);
});

const hybrid = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 / /sys/fs/cgroup/systemd rw,nosuid - cgroup cgroup rw,xattr,release_agent=/usr/lib/agent,name=systemd
34 31 0:31 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw,nsdelegate
35 23 0:29 / /mnt/again rw,nosuid - cgroup cgroup rw,cpu,cpuacct
`;

test("hybrid: v1 hierarchies once each, the named one by its name, and the v2 tree", () => {
  expect(parseCgroupLayout(parseMountInfo(hybrid), "")).toEqual({
    v1: [
      { mountPoint: "/sys/fs/cgroup/cpu,cpuacct", controllers: ["cpu", "cpuacct"], name: undefined },
      { mountPoint: "/sys/fs/cgroup/systemd", controllers: [], name: "systemd" },
    ],
    v2: { mountPoint: "/sys/fs/cgroup/unified", controllers: [] },
  });
});

test("v2 alone: its controllers", () => {
  const mounts = parseMountInfo("30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
  expect(parseCgroupLayout(mounts, "cpuset cpu io memory pids\n")).toEqual({
    v1: [],
    v2: { mountPoint: "/sys/fs/cgroup", controllers: ["cpuset", "cpu", "io", "memory", "pids"] },
  });
});
