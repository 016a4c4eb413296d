import { expect, test } from "bun:test";
import type { Linux, Mount } from "../spec/runtime-spec.ts";
import { identityFiles } from "./identity-files.ts";
import { planMounts } from "./plan-mounts.ts";
import { planNamespaces } from "./plan-namespaces.ts";
import { planSysctls } from "./plan-sysctls.ts";

const view = { layout: { v1: [], v2: undefined }, path: "/orlop/a" };

test.each<[string, Mount, string]>([
  ["a relative destination", { destination: "x", type: "tmpfs" }, "mount destination"],
  ["the root itself", { destination: "/", type: "tmpfs" }, "mount destination"],
  ["a way up", { destination: "/a/../../b", type: "tmpfs" }, "mount destination"],
  ["below /proc", { destination: "/proc/sys/kernel", type: "tmpfs" }, "mount destination"],
  ["below /proc, written otherwise", { destination: "//proc/./sys", type: "tmpfs" }, "mount destination"],
  ["no type", { destination: "/x" }, "type of the mount on /x"],
  ["a bind of nothing", { destination: "/x", type: "bind" }, "source of the bind on /x"],
  ["a bind of a relative path", { destination: "/x", type: "bind", source: "y" }, "source of the bind on /x"],
  [
    "a bind with a size",
    { destination: "/x", type: "bind", source: "/y", options: ["size=1"] },
    "options of the bind on /x",
  ],
])("a mount: %s is refused", (_name, mount, said) => {
  expect(() => planMounts([mount], view)).toThrow(said);
});

test.each(["cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo"])(
  "/proc/%s may be covered",
  (name) => {
    const mount = { destination: `/proc/${name}`, type: "bind", source: "/lxcfs" };
    expect(planMounts([mount], view)).toMatchObject([{ op: "root-bind", target: `/proc/${name}` }]);
  },
);

test("a bind is private and not recursive unless it says so; rro counts for all below, ro does not", () => {
  const bind = (...options: string[]) =>
    planMounts([{ destination: "/x", type: "bind", source: "/y", options }], view)[0];
  expect(bind("bind")).toMatchObject({ flags: 4, propagation: 1 << 18 });
  expect(bind("rbind", "rro")).toMatchObject({ flags: 7, set: 1 });
  expect(bind("rbind", "ro")).toMatchObject({ flags: 5, set: 1 });
  expect(bind("rbind", "slave")).toMatchObject({ flags: 1, propagation: 1 << 19 });
  expect(bind("rbind", "rslave")).toMatchObject({ flags: 5, propagation: 1 << 19 });
});

test.each<[string, Linux, string]>([
  ["twice the same", { namespaces: [{ type: "mount" }, { type: "pid" }, { type: "pid" }] }, "each type once"],
  ["no mount namespace", { namespaces: [{ type: "pid" }] }, "without a mount namespace"],
  ["a shared mount namespace", { namespaces: [{ type: "mount", path: "/proc/1/ns/mnt" }] }, "mount namespace by path"],
  [
    "a shared user namespace",
    { namespaces: [{ type: "mount" }, { type: "user", path: "/p" }] },
    "user namespace by path",
  ],
  ["a relative path", { namespaces: [{ type: "mount" }, { type: "network", path: "p" }] }, "network namespace path"],
  ["a user namespace without users", { namespaces: [{ type: "mount" }, { type: "user" }] }, "a mapping each"],
])("namespaces: %s is refused", (_name, linux, said) => {
  expect(() => planNamespaces(linux)).toThrow(said);
});

const own: Linux = { namespaces: [{ type: "network" }, { type: "ipc" }, { type: "uts" }] };

test.each([
  ["net.ipv4.ip_forward", "net/ipv4/ip_forward"],
  ["net/ipv4/ip_forward", "net/ipv4/ip_forward"],
  ["net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding"],
  ["kernel.shmmax", "kernel/shmmax"],
  ["fs.mqueue.msg_max", "fs/mqueue/msg_max"],
])("the setting %s is the file %s", (key, path) => {
  expect(planSysctls({ ...own, sysctl: { [key]: "1" } })).toMatchObject([{ op: "sysctl", key: path, value: "1" }]);
});

test.each([
  ["kernel.panic", own],
  ["vm.swappiness", own],
  ["kernel.shmmax.extra", own],
  ["net.ipv4.ip_forward", {}],
  ["net.ipv4.ip_forward", { namespaces: [{ type: "network" as const, path: "/proc/1/ns/net" }] }],
  ["net....kernel.panic", own],
  ["net/../kernel/panic", own],
])("the setting %s that is not the container's own is refused", (key, linux: Linux) => {
  expect(() => planSysctls({ ...linux, sysctl: { [key]: "1" } })).toThrow("sysctl");
});

test.each([
  ["box\n1.2.3.4 evil", "127.0.0.1"],
  ["", "127.0.0.1"],
  ["box", "1.2.3.4\tx"],
  ["#box", "127.0.0.1"],
])("a name %p at %p gets into no file", (hostname, address) => {
  expect(() => identityFiles({ hostname, address, extraHosts: [] })).toThrow("name or address");
});
