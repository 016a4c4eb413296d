/** Namespaces, what the container may do, which devices it has. */

import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { allCapabilities } from "../../src/kernel/capabilities.ts";
import { prints, type Row, shows } from "./row.ts";
import type { Seen } from "./stage.ts";

const capabilityNames = allCapabilities();
const namespace = (seen: Seen, kind: string): string =>
  readlinkSync(`/proc/${seen.pid}/ns/${kind}`) === readlinkSync(`/proc/self/ns/${kind}`) ? "host's" : "own";

/** The same namespace as the neighbour's, which shares what can be shared. */
async function withNeighbour(seen: Seen, kind: string): Promise<string> {
  const { State } = await seen.stage.product.engine.containers.inspect("values-neighbour");
  return readlinkSync(`/proc/${seen.pid}/ns/${kind}`) === readlinkSync(`/proc/${State.Pid}/ns/${kind}`)
    ? "neighbour's"
    : namespace(seen, kind);
}

const ofNeighbour = (mode: string): string =>
  mode === "host" ? "host's" : mode.startsWith("container:") ? "neighbour's" : "own";

const effective = async (seen: Seen): Promise<string> => /^CapEff:\t(\w+)$/m.exec(seen.proc("status"))?.[1] ?? "";

/** Bits of /proc/PID/status. */
function bit(name: string): bigint {
  return 1n << BigInt(capabilityNames.indexOf(name.toUpperCase().replace(/^(CAP_)?/, "CAP_")));
}

/** What this machine's root has itself. */
const held = BigInt(`0x${/^CapEff:\t(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0"}`);
const all = capabilityNames.filter((name) => (bit(name) & held) !== 0n);
const defaults = 0xa80425fbn;
const hex = (mask: bigint): string => mask.toString(16).padStart(16, "0");

const device = (PathOnHost: string, PathInContainer = PathOnHost, CgroupPermissions = "rwm") => ({
  HostConfig: { Devices: [{ PathOnHost, PathInContainer, CgroupPermissions }] },
});
const numbers = { "/dev/fuse": "a:e5", "/dev/zero": "1:5", "/dev/full": "1:7" } as const;
const listed = (seen: Seen, entry: string): string =>
  seen
    .group("devices", "devices.list")
    .split("\n")
    .find((line) => line === entry) ?? seen.group("devices", "devices.list");

const sysctls: readonly (readonly [string, string])[] = [
  ["kernel.shmmax", "4096"],
  ["kernel.msgmax", "1"],
  ["kernel.sem", "1\t2\t3\t4"],
  ["fs.mqueue.msg_max", "1"],
  ["net.ipv4.ip_forward", "1"],
  ["net.ipv4.ip_local_port_range", "1024\t65535"],
  ["net.core.somaxconn", "65535"],
];

export const sharingRows: Readonly<Record<string, Row>> = {
  "HostConfig.CapAdd[]": shows(
    [...all, ...all.slice(0, 3).map((name) => name.slice(4).toLowerCase()), "ALL"],
    (name) => ({ HostConfig: { CapAdd: [name] } }),
    effective,
    (name) => hex(name === "ALL" ? held : defaults | bit(name)),
  ),
  "HostConfig.CapDrop[]": shows(
    [...all, ...all.slice(0, 3).map((name) => name.slice(4).toLowerCase()), "ALL"],
    (name) => ({ HostConfig: { CapDrop: [name] } }),
    effective,
    (name) => hex(name === "ALL" ? 0n : defaults & ~bit(name)),
  ),
  "HostConfig.Privileged": shows(
    [true, false],
    (Privileged) => ({ HostConfig: { Privileged } }),
    async (seen) => `${await effective(seen)} ${/^Seccomp:\t(\d)$/m.exec(seen.proc("status"))?.[1]}`,
    (value) => (value ? `${hex(held)} 0` : `${hex(defaults)} 2`),
  ),
  "HostConfig.SecurityOpt[]": prints(
    [
      "no-new-privileges",
      "no-new-privileges:true",
      "no-new-privileges=false",
      "seccomp=unconfined",
      "seccomp=builtin",
      "apparmor=unconfined",
      "label=disable",
      "label=type:svirt_t",
      "apparmor=profile-of-another-machine",
      "systempaths=unconfined",
      "seccomp:unconfined",
      // A profile's text, as the docker CLI sends a file: everything is allowed, but directories are not made.
      `seccomp=${JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO" }] })}`,
    ],
    (option) => ({ HostConfig: { SecurityOpt: [option] } }),
    "echo $(sed -n 's/^NoNewPrivs:.//p; s/^Seccomp:.//p' /proc/self/status) $(wc -c </proc/keys | grep -c '^0') $(mkdir /made 2>/dev/null && echo made)",
    (option) => {
      const isLocked = option === "no-new-privileges" || option.endsWith(":true");
      const filters = /^seccomp.unconfined$/.test(option) ? 0 : 2;
      const made = option.includes("SCMP") ? "" : " made";
      return `${isLocked ? 1 : 0} ${filters} ${option.startsWith("system") ? 0 : 1}${made}`;
    },
  ),
  "HostConfig.GroupAdd[]": prints(
    ["1", "29", "worker", "4294967294"],
    (group) => ({ HostConfig: { GroupAdd: [group] } }),
    "id -G",
    (group) => `0 ${group === "worker" ? 1000 : group}`,
  ),
  "HostConfig.Init": prints(
    [true, false],
    (Init) => ({ HostConfig: { Init } }),
    "test $$ = 1 && echo first || echo second",
    (value) => (value ? "second" : "first"),
  ),
  "HostConfig.CgroupParent": shows(
    ["/values", "/values/deeper/down", "values-relative"],
    (CgroupParent) => ({ HostConfig: { CgroupParent } }),
    (seen) => /^\d+:[^:]*\bmemory\b[^:]*:(.*)$/m.exec(seen.proc("cgroup"))?.[1]?.replace(seen.id, "ID") ?? "",
    (value) => `${value.startsWith("/") ? "" : "/"}${value}/ID`,
    ["cgroup1"],
  ),
  "HostConfig.CgroupnsMode": shows(
    ["private", "host", ""],
    (CgroupnsMode) => ({ HostConfig: { CgroupnsMode } }),
    (seen) => namespace(seen, "cgroup"),
    (mode) => (mode === "host" ? "host's" : "own"),
  ),
  "HostConfig.UTSMode": shows(
    ["host", ""],
    (UTSMode) => ({ HostConfig: { UTSMode } }),
    async (seen) => `${namespace(seen, "uts")} ${(await seen.inside("hostname")) === hostname()}`,
    (mode) => (mode === "host" ? "host's true" : "own false"),
  ),
  "HostConfig.UsernsMode": shows(
    ["host", ""],
    (UsernsMode) => ({ HostConfig: { UsernsMode } }),
    (seen) => namespace(seen, "user"),
    "host's",
  ),
  "HostConfig.IpcMode": shows(
    ["", "private", "shareable", "none", "host", "container:values-neighbour"],
    (IpcMode) => ({ HostConfig: { IpcMode } }),
    (seen) => withNeighbour(seen, "ipc"),
    ofNeighbour,
  ),
  "HostConfig.PidMode": shows(
    ["", "private", "host", "container:values-neighbour"],
    (PidMode) => ({ HostConfig: { PidMode } }),
    (seen) => withNeighbour(seen, "pid"),
    ofNeighbour,
  ),
  "HostConfig.Sysctls.*": prints(
    sysctls,
    ([name, value]) => ({
      HostConfig: { Sysctls: { [name]: value } },
      Env: [`FILE=/proc/sys/${name.replaceAll(".", "/")}`],
    }),
    'cat "$FILE"',
    ([, value]) => value,
  ),
  "HostConfig.ConsoleSize[]": prints(
    [
      [24, 80],
      [2, 2],
      [300, 29_999],
    ],
    (ConsoleSize) => ({ Tty: true, HostConfig: { ConsoleSize } }),
    "stty size",
    ([rows, columns]) => `${rows} ${columns}`,
  ),
  "HostConfig.Devices[].PathOnHost": prints(
    Object.keys(numbers),
    (path) => device(path, "/dev/given"),
    "stat -c %t:%T /dev/given",
    (path) => numbers[path as keyof typeof numbers],
  ),
  "HostConfig.Devices[].PathInContainer": prints(
    ["/dev/given", "/deep/down/here", "/dev/fuse", ""],
    (path) => device("/dev/fuse", path),
    'test -n "$1" || set -- /dev/fuse; stat -c %t:%T "$1"',
    "a:e5",
  ),
  "HostConfig.Devices[].CgroupPermissions": shows(
    ["r", "w", "rw", "rm", "rwm"],
    (access) => device("/dev/fuse", "/dev/fuse", access),
    (seen, access) => listed(seen, `c 10:229 ${access}`),
    (access) => `c 10:229 ${access}`,
    ["cgroup1"],
  ),
  "HostConfig.DeviceCgroupRules[]": shows(
    ["c 10:200 rwm", "b 7:* r", "c 240:1 w", "b 8:0 rm"],
    (rule) => ({ HostConfig: { DeviceCgroupRules: [rule] } }),
    listed,
    (rule) => rule,
    ["cgroup1"],
  ),
};
