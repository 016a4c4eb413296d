/** The destination directory and name of a `cp`, by Docker's rules (moby pkg/archive/copy.go, PrepareArchiveCopy). Pure. */

import { posix } from "node:path";
import { OrlopError } from "../base/errors.ts";

export interface CopySource {
  /** The name of the archive's first entry. */
  readonly name: string;
  readonly isDirectory: boolean;
}

export interface CopyTarget {
  /** The path as written, with links resolved. */
  readonly path: string;
  readonly exists: boolean;
  readonly isDirectory: boolean;
}

export interface CopyPlace {
  /** The directory into which the archive is unpacked. */
  readonly directory: string;
  /** The name of the first entry there. */
  readonly name: string;
}

/** @throws {OrlopError} copy_mismatch */
export function placeOf(source: CopySource, target: CopyTarget): CopyPlace {
  const asksDirectory = /(^|\/)\.?$/.test(target.path);
  if (target.exists && target.isDirectory) return { directory: target.path, name: source.name };
  if (target.exists && source.isDirectory)
    throw OrlopError.of("copy_mismatch", { path: target.path, reason: "cannot copy a directory over a file" });
  if (asksDirectory && (target.exists || !source.isDirectory))
    throw OrlopError.of("copy_mismatch", { path: target.path, reason: "no such directory" });
  const clean = posix.resolve("/", target.path);
  return { directory: posix.dirname(target.path.replace(/\/+\.?$/, "") || "/"), name: posix.basename(clean) };
}

/** An entry's name after the archive's first entry was renamed. Names are byte strings. */
export function renamed(path: string, from: string, to: string): string {
  const plain = path.replace(/^\.\//, "").replace(/\/+$/, "");
  if (from === "." || from === "/") {
    const rest = plain.replace(/^\/+/, "");
    return rest === "" || rest === "." ? to : `${to}/${rest}`;
  }
  if (plain === from) return to;
  return plain.startsWith(`${from}/`) ? `${to}${plain.slice(from.length)}` : plain;
}
