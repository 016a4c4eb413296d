/** Where `cp` puts things and under which name: Docker's rules (moby pkg/archive/copy.go, PrepareArchiveCopy). Pure. */

import { posix } from "node:path";
import { OrlopError } from "../base/errors.ts";

export interface CopySource {
  /** What the archive's top is called. */
  readonly name: string;
  readonly isDirectory: boolean;
}

export interface CopyTarget {
  /** As it was written, links resolved. */
  readonly path: string;
  readonly exists: boolean;
  readonly isDirectory: boolean;
}

export interface CopyPlace {
  /** The archive goes in here. */
  readonly directory: string;
  /** The top's name there. */
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

/** An entry's name when the archive's top is called otherwise. Names are bytes as a string. */
export function renamed(path: string, from: string, to: string): string {
  const plain = path.replace(/^\.\//, "").replace(/\/+$/, "");
  if (from === "." || from === "/") {
    const rest = plain.replace(/^\/+/, "");
    return rest === "" || rest === "." ? to : `${to}/${rest}`;
  }
  if (plain === from) return to;
  return plain.startsWith(`${from}/`) ? `${to}${plain.slice(from.length)}` : plain;
}
