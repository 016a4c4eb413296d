/** Resource limits: RLIMIT_* names and numbers (asm-generic/resource.h), and Docker's form of them. */

import { OrlopError } from "../base/errors.ts";

/** RLIMIT_CPU is 0. */
const names = [
  ...["cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile", "memlock", "as", "locks", "sigpending"],
  ...["msgqueue", "nice", "rtprio", "rttime"],
];

/**
 * The number of "RLIMIT_NOFILE".
 *
 * @throws {OrlopError} bad_value
 */
export function rlimitNumber(type: string): number {
  const number = names.findIndex((name) => type === `RLIMIT_${name.toUpperCase()}`);
  if (number >= 0) return number;
  const expected = `RLIMIT_ and one of ${names.map((name) => name.toUpperCase()).join(", ")}`;
  throw OrlopError.of("bad_value", { what: "resource limit", value: type, expected });
}

/** "RLIMIT_NOFILE" for 7. */
export function rlimitName(number: number): string {
  const name = names[number];
  return name === undefined ? String(number) : `RLIMIT_${name.toUpperCase()}`;
}

/** As in Docker's HostConfig.Ulimits; -1 is unlimited. */
export interface Ulimit {
  /** "nofile" */
  readonly Name: string;
  readonly Soft: number;
  readonly Hard: number;
}

/**
 * The OCI specification's form of one of Docker's limits.
 *
 * @throws {OrlopError} bad_value for a name that is none, or a soft limit over the hard one
 */
export function rlimitOfUlimit({ Name, Soft, Hard }: Ulimit): { type: string; soft: number; hard: number } {
  if (!names.includes(Name))
    throw OrlopError.of("bad_value", { what: "ulimit", value: Name, expected: `one of ${names.join(", ")}` });
  const valid = [Soft, Hard].every((value) => Number.isSafeInteger(value) && value >= -1);
  if (!valid || (Hard !== -1 && (Soft === -1 || Soft > Hard)))
    throw OrlopError.of("bad_value", {
      what: "ulimit",
      value: `${Name}=${Soft}:${Hard}`,
      expected: "a soft limit of at most the hard one, -1 for unlimited",
    });
  return { type: `RLIMIT_${Name.toUpperCase()}`, soft: Soft, hard: Hard };
}
