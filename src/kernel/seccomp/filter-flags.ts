/** SECCOMP_FILTER_FLAG_* of seccomp(2), from a profile. */

import { OrlopError } from "../../base/errors.ts";
import type { SeccompProfile } from "./profile.ts";

export const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4;
export const SECCOMP_FILTER_FLAG_NEW_LISTENER = 8;

const values: ReadonlyMap<string, number> = new Map([
  ["SECCOMP_FILTER_FLAG_TSYNC", 1], // 3.17
  ["SECCOMP_FILTER_FLAG_LOG", 2], // 4.14
  ["SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW], // 4.17
  ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 32], // 5.19
]);

const TSYNC_ESRCH = 16; // 5.7: without it TSYNC and NEW_LISTENER exclude each other

/**
 * A profile without a list of flags gets SPEC_ALLOW, as in runc: no mitigation against speculative store bypass beyond
 * what the machine does for every process. SCMP_ACT_NOTIFY needs a listener.
 *
 * @throws {OrlopError} bad_value
 */
export function filterFlags(profile: SeccompProfile): number {
  let flags = profile.flags === undefined ? SECCOMP_FILTER_FLAG_SPEC_ALLOW : 0;
  for (const name of profile.flags ?? []) {
    const value = values.get(name);
    if (value === undefined)
      throw OrlopError.of("bad_value", {
        what: "seccomp flag",
        value: name,
        expected: `one of ${[...values.keys()].join(", ")}`,
      });
    flags |= value;
  }
  const notifies = [profile, ...(profile.syscalls ?? [])].some(
    (entry) => ("action" in entry ? entry.action : entry.defaultAction) === "SCMP_ACT_NOTIFY",
  );
  if (notifies) flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER | ((flags & 1) !== 0 ? TSYNC_ESRCH : 0);
  return flags;
}
