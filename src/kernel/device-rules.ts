/** Which devices a container may use, as rules of the OCI specification (config-linux.md, "Device whitelist"). */

import { OrlopError } from "../base/errors.ts";

/** A missing type, major, minor or access matches all, and so does -1. */
export interface DeviceRule {
  readonly allow: boolean;
  readonly type?: "a" | "b" | "c";
  readonly major?: number;
  readonly minor?: number;
  /** Letters of "rwm": open for reading, open for writing, mknod. */
  readonly access?: string;
}

/** BPF_DEVCG_ACC_* (linux/bpf.h). */
export const ACCESS_MKNOD = 1;
export const ACCESS_READ = 2;
export const ACCESS_WRITE = 4;
export const ACCESS_ALL = ACCESS_MKNOD | ACCESS_READ | ACCESS_WRITE;

const letters: Readonly<Record<string, number>> = { m: ACCESS_MKNOD, r: ACCESS_READ, w: ACCESS_WRITE };

/**
 * The ACCESS_* bits of "rwm".
 *
 * @throws {OrlopError} bad_value
 */
export function accessBits(access: string | undefined): number {
  let bits = 0;
  for (const letter of access ?? "rwm") bits |= letters[letter] ?? 8;
  if (bits > 0 && bits <= ACCESS_ALL) return bits;
  throw OrlopError.of("bad_value", { what: "device access", value: access ?? "", expected: 'letters of "rwm"' });
}

/** Whether a rule's major or minor matches every number. */
export function everyNumber(value: number | undefined): boolean {
  return value === undefined || value < 0;
}

const character = (major: number, minor: number | undefined): DeviceRule => ({
  allow: true,
  type: "c",
  major,
  ...(minor === undefined ? {} : { minor }),
  access: "rwm",
});

/**
 * The devices of a container by default: none, then mknod of any node (which does not allow opening it), then the few that every
 * container has.
 */
export const defaultDeviceRules: readonly DeviceRule[] = [
  { allow: false, access: "rwm" },
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  character(1, 3), // null
  character(1, 5), // zero
  character(1, 7), // full
  character(1, 8), // random
  character(1, 9), // urandom
  character(5, 0), // tty
  character(5, 1), // console
  character(5, 2), // ptmx
  character(136, undefined), // pts: of its own devpts, each numbered from 0
  // fuse: denied explicitly, though nothing above allows it, because many hosts give everybody access to it. Only reading and
  // writing: cgroup v1 cannot except one device from "mknod of any node".
  { allow: false, type: "c", major: 10, minor: 229, access: "rw" },
];
