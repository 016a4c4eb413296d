/** /dev: the nodes that every program expects, those of the specification, and the usual links. */

import { S_IFBLK, S_IFCHR, S_IFIFO } from "../kernel/linux.ts";
import type { Step } from "../kernel/step.ts";
import type { Device } from "../spec/runtime-spec.ts";

/** runtime-spec config-linux.md, "Default Devices". */
const defaultDevices: readonly Device[] = [
  { path: "/dev/null", type: "c", major: 1, minor: 3 },
  { path: "/dev/zero", type: "c", major: 1, minor: 5 },
  { path: "/dev/full", type: "c", major: 1, minor: 7 },
  { path: "/dev/random", type: "c", major: 1, minor: 8 },
  { path: "/dev/urandom", type: "c", major: 1, minor: 9 },
  { path: "/dev/tty", type: "c", major: 5, minor: 0 },
];

const reasons: Readonly<Record<string, string>> = {
  "/dev/null": "takes everything and gives nothing",
  "/dev/zero": "zeros without end",
  "/dev/full": "a disk that is always full",
  "/dev/random": "random numbers, once the kernel has enough of them",
  "/dev/urandom": "random numbers, at once",
  "/dev/tty": "each process's own controlling terminal",
};

const links: readonly (readonly [path: string, target: string])[] = [
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
  ["/dev/ptmx", "pts/ptmx"],
];

const kindOf = { c: S_IFCHR, u: S_IFCHR, b: S_IFBLK, p: S_IFIFO } as const satisfies Record<Device["type"], number>;

/** After the mounts, when /dev is the container's own tmpfs. */
export function planDevices(devices: readonly Device[]): Step[] {
  const asked = new Set(devices.map((device) => device.path));
  const nodes = [...defaultDevices.filter((device) => !asked.has(device.path)), ...devices];
  return [...nodes.map(planNode), ...links.map(planLink)];
}

function planNode(device: Device): Step {
  return {
    op: "root-mknod",
    path: device.path,
    kind: kindOf[device.type],
    mode: device.fileMode ?? 0o666,
    major: device.major ?? 0,
    minor: device.minor ?? 0,
    uid: device.uid ?? 0,
    gid: device.gid ?? 0,
    source: device.path,
    why: defaultDevices.includes(device) ? (reasons[device.path] ?? "") : `the device ${device.path} was asked for`,
  };
}

function planLink([path, target]: readonly [path: string, target: string]): Step {
  const why =
    path === "/dev/ptmx"
      ? "new terminals come from the container's own devpts"
      : "the process's own descriptors, by name";
  return { op: "root-symlink", target, path, why };
}
