/** A tmpfs in the container: HostConfig.Tmpfs, and Mounts of that type. */

import { OrlopError } from "../../base/errors.ts";
import type { TmpfsPoint } from "./mount-point.ts";

const known =
  /^(ro|rw|noexec|exec|nosuid|suid|nodev|dev|noatime|atime|relatime|norelatime|strictatime|nostrictatime|diratime|nodiratime|size=\d+[kmg%]?|mode=[0-7]{1,4}|uid=\d+|gid=\d+|nr_inodes=\d+[kmg]?|nr_blocks=\d+[kmg]?|mpol=[a-z]+(=[a-z]+)?(:[\d,-]+)?|huge=(never|always|within_size|advise)|noswap)$/;

/** noexec, nosuid and nodev unless the options say otherwise. @throws {OrlopError} bad_value */
export function tmpfsPoint(destination: string, options: readonly string[]): TmpfsPoint {
  const unknown = options.find((option) => !known.test(option));
  if (unknown !== undefined)
    throw OrlopError.of("bad_value", {
      what: `option of the tmpfs on ${destination}`,
      value: unknown,
      expected:
        "ro, rw, exec, suid, dev (and their no…), size=BYTES, mode=OCTAL, uid=, gid=, nr_inodes=, nr_blocks=, mpol= or huge=",
    });
  return {
    type: "tmpfs",
    destination,
    options: ["noexec", "nosuid", "nodev", ...options],
    readonly: options.includes("ro"),
    mode: "",
    listed: false,
  };
}
