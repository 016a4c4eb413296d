/** What a filter returns to the kernel: SECCOMP_RET_* (linux/seccomp.h), from a profile's SCMP_ACT_* names. */

import { OrlopError } from "../../base/errors.ts";

export const SECCOMP_RET_KILL_PROCESS = 0x80000000;
export const SECCOMP_RET_KILL_THREAD = 0;
export const SECCOMP_RET_TRAP = 0x30000;
export const SECCOMP_RET_ERRNO = 0x50000;
export const SECCOMP_RET_USER_NOTIF = 0x7fc00000;
export const SECCOMP_RET_TRACE = 0x7ff00000;
export const SECCOMP_RET_LOG = 0x7ffc0000;
export const SECCOMP_RET_ALLOW = 0x7fff0000;

const EPERM = 1;
export const ENOSYS = 38;

const values: ReadonlyMap<string, number> = new Map([
  ["SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD],
  ["SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD],
  ["SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS],
  ["SCMP_ACT_TRAP", SECCOMP_RET_TRAP],
  ["SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO],
  ["SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF],
  ["SCMP_ACT_TRACE", SECCOMP_RET_TRACE],
  ["SCMP_ACT_LOG", SECCOMP_RET_LOG],
  ["SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW],
]);

/**
 * The value to return. ERRNO and TRACE carry `errnoRet` in their low 16 bits, EPERM when it is missing (runtime-spec,
 * config-linux.md, "errnoRet").
 *
 * @throws {OrlopError} bad_value
 */
export function actionValue(action: string, errnoRet: number | undefined): number {
  const value = values.get(action);
  if (value === undefined)
    throw OrlopError.of("bad_value", {
      what: "seccomp action",
      value: action,
      expected: `one of ${[...values.keys()].join(", ")}`,
    });
  if (value !== SECCOMP_RET_ERRNO && value !== SECCOMP_RET_TRACE) {
    if (errnoRet === undefined) return value;
    throw OrlopError.of("bad_value", {
      what: "seccomp errnoRet",
      value: String(errnoRet),
      expected: `none with ${action}: only SCMP_ACT_ERRNO and SCMP_ACT_TRACE carry a number`,
    });
  }
  return value + (errnoRet ?? EPERM);
}

/** Whether the kernel carries out the call, or asks a tracer or listener about it: such a default needs no ENOSYS. */
export function isPermissive(value: number): boolean {
  const action = value - (value & 0xffff);
  return action === SECCOMP_RET_ALLOW || action === SECCOMP_RET_LOG || action === SECCOMP_RET_TRACE;
}
