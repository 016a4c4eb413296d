/** Whether a program may be started as root at every boot: only when nobody else can put another one in its place. */
import { lstatSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { OrlopError } from "../base/errors.ts";

/** What is asked of a file and of each directory above it. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

const otherWritable = 0o002;
const groupWritable = 0o020;

/** Its path without links. @throws {OrlopError} service_program_unsafe */
export function safeProgram(path: string): string {
  const real = realpathSync(path);
  for (let at = real; ; at = dirname(at)) {
    const reason = unsafeBecause(at, lstatSync(at));
    if (reason !== undefined) throw OrlopError.of("service_program_unsafe", { path: real, reason });
    if (at === "/") return real;
  }
}

/** undefined: it is safe. */
export function unsafeBecause(path: string, { uid, gid, mode }: Owner): string | undefined {
  if (uid !== 0) return `${path} belongs to user ${uid}`;
  if ((mode & otherWritable) !== 0) return `everybody can write ${path}`;
  if ((mode & groupWritable) !== 0 && gid !== 0) return `group ${gid} can write ${path}`;
  return undefined;
}
