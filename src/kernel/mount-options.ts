/**
 * Mount options of the OCI specification (config.md, "Linux mount options"), sorted into attributes of the mount, propagation,
 * and options of the file system.
 */

import { OrlopError } from "../base/errors.ts";
import {
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
  MS_PRIVATE,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
} from "./linux.ts";

export interface MountOptions {
  /** "bind" or "rbind". */
  readonly bind: boolean;
  /** "rbind": with the mounts below. */
  readonly recursiveBind: boolean;
  /** MOUNT_ATTR_*; cleared first, then set. */
  readonly set: number;
  readonly clear: number;
  /** "rro" and the like: the attributes are set on the mounts below, too. */
  readonly recursiveAttributes: boolean;
  /** MS_*, with MS_REC for recursive ones; 0: unchanged. */
  readonly propagation: number;
  /** For the file system: "size=64m". */
  readonly data: readonly string[];
}

interface Attribute {
  readonly set: number;
  readonly clear: number;
}

const on = (bit: number): Attribute => ({ set: bit, clear: 0 });
const off = (bit: number): Attribute => ({ set: 0, clear: bit });
/** The three modes of access times are one field, which mount_setattr(2) requires to be cleared as a whole. */
const accessTime = (value: number): Attribute => ({ set: value, clear: MOUNT_ATTR__ATIME });

/** Each also with an "r" in front: recursive (runtime-spec 1.1). A single recursive one makes all attributes of the mount recursive. */
const attributes: ReadonlyMap<string, Attribute> = new Map(
  Object.entries({
    ro: on(MOUNT_ATTR_RDONLY),
    rw: off(MOUNT_ATTR_RDONLY),
    nosuid: on(MOUNT_ATTR_NOSUID),
    suid: off(MOUNT_ATTR_NOSUID),
    nodev: on(MOUNT_ATTR_NODEV),
    dev: off(MOUNT_ATTR_NODEV),
    noexec: on(MOUNT_ATTR_NOEXEC),
    exec: off(MOUNT_ATTR_NOEXEC),
    nodiratime: on(MOUNT_ATTR_NODIRATIME),
    diratime: off(MOUNT_ATTR_NODIRATIME),
    nosymfollow: on(MOUNT_ATTR_NOSYMFOLLOW),
    symfollow: off(MOUNT_ATTR_NOSYMFOLLOW),
    noatime: accessTime(MOUNT_ATTR_NOATIME),
    strictatime: accessTime(MOUNT_ATTR_STRICTATIME),
    // relatime is the kernel's default when neither of the others is set
    relatime: accessTime(0),
    atime: accessTime(0),
    norelatime: accessTime(0),
    nostrictatime: accessTime(0),
  }).flatMap(([name, attribute]) => [
    [name, attribute],
    [`r${name}`, attribute],
  ]),
);

const propagations: ReadonlyMap<string, number> = new Map([
  ["private", MS_PRIVATE],
  ["rprivate", MS_PRIVATE | MS_REC],
  ["slave", MS_SLAVE],
  ["rslave", MS_SLAVE | MS_REC],
  ["shared", MS_SHARED],
  ["rshared", MS_SHARED | MS_REC],
  ["unbindable", MS_UNBINDABLE],
  ["runbindable", MS_UNBINDABLE | MS_REC],
]);

/** Options that are not the file system's and that Orlop does not support. */
const refused = new Set(["remount", "idmap", "ridmap", "tmpcopyup", "copy-symlink"]);

/**
 * Sorts options by what they act on; of two contradicting ones the later wins.
 *
 * @throws {OrlopError} unknown_field for an option that Orlop does not support; bad_value for an invalid one
 */
export function parseMountOptions(options: readonly string[]): MountOptions {
  const found = { bind: false, recursiveBind: false, set: 0, clear: 0, recursiveAttributes: false, propagation: 0 };
  const data: string[] = [];
  for (const option of options) {
    const attribute = attributes.get(option);
    const propagation = propagations.get(option);
    if (attribute !== undefined) {
      found.set = (found.set & ~attribute.clear) | attribute.set;
      found.recursiveAttributes ||= option.startsWith("r") && attributes.has(option.slice(1));
      found.clear = (found.clear & ~(attribute.set & ~MOUNT_ATTR__ATIME)) | attribute.clear;
    } else if (propagation !== undefined) {
      found.propagation = propagation;
    } else if (option === "bind" || option === "rbind") {
      found.bind = true;
      found.recursiveBind ||= option === "rbind";
    } else if (option !== "defaults") {
      data.push(fileSystemOption(option));
    }
  }
  return { ...found, data };
}

function fileSystemOption(option: string): string {
  if (refused.has(option)) throw OrlopError.of("unknown_field", { field: `mount option ${option}` });
  if (option !== "" && !option.includes("\0")) return option;
  throw OrlopError.of("bad_value", { what: "mount option", value: option, expected: "a name, or NAME=VALUE" });
}
