/** What the image `host` needs to know of the machine: its mounts, and which of some paths are directories. */

import { openSync, readFileSync, realpathSync, statSync } from "node:fs";
import { type MountInfo, parseMountInfo } from "../kernel/mountinfo.ts";
import { POLLPRI, pollNow } from "../platform/poll.ts";
import type { HostView } from "./host.ts";

const MOUNT_TABLE = "/proc/self/mountinfo";

export function readHostView(): HostView {
  return { mounts: currentMounts(), directoryAt };
}

let watched: { readonly fd: number; mounts: readonly MountInfo[] } | undefined;

/**
 * The same object until the kernel reports a change: generating the table costs the kernel more than most of a plan.
 * proc(5), "mountinfo": a descriptor of it is told of each mount and unmount, by POLLPRI, once. Not of a change of propagation.
 */
function currentMounts(): readonly MountInfo[] {
  watched ??= { fd: openSync(MOUNT_TABLE, "r"), mounts: [] };
  const isOther = watched.mounts.length === 0 || (pollNow(watched.fd, POLLPRI) & POLLPRI) !== 0;
  if (isOther) watched.mounts = readMounts(); // a change while it is read is reported the next time
  return watched.mounts;
}

/** Read from the kernel, with each mount's current propagation. */
export function readMounts(): readonly MountInfo[] {
  return parseMountInfo(readFileSync(MOUNT_TABLE, "utf8"));
}

/** Most of these paths do not exist: without exceptions, which would cost more than the system call. */
function directoryAt(path: string): string | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? realpathSync(path) : undefined;
  } catch {
    return undefined; // not reachable: there is nothing to show or hide
  }
}
