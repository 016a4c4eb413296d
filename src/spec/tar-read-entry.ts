/** An entry of the headers that come before it: its own, and what extensions say instead. */

import type { ByteString, Extent, TarEntry, TarKind } from "./tar-entry.ts";
import { type RawHeader, TarFault } from "./tar-header.ts";
import type { PaxChanges } from "./tar-pax.ts";

/** PATH_MAX: no kernel takes a longer name. */
export const nameMax = 4096;

const kinds: Readonly<Record<string, TarKind>> = {
  "0": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
  S: "file",
};

/** @throws {TarFault} a type that no file can be made of */
export function kindOf({ type }: RawHeader): TarKind {
  const kind = kinds[type];
  if (kind === undefined) throw new TarFault(`entries of type ${JSON.stringify(type)} are not supported`);
  return kind;
}

export interface EntryHeaders {
  readonly raw: RawHeader;
  readonly pax: PaxChanges | undefined;
  readonly longName: ByteString | undefined;
  readonly longLink: ByteString | undefined;
}

export interface EntryContent {
  readonly kind: TarKind;
  readonly size: number;
  /** Of a sparse file. */
  readonly extents: readonly Extent[] | undefined;
}

/** What an entry's headers say together. @throws {TarFault} */
export function entryOfHeaders({ raw, pax, longName, longLink }: EntryHeaders, file: EntryContent): TarEntry {
  const { kind, size, extents } = file;
  const path = pax?.path ?? longName ?? raw.name;
  const link = pax?.link ?? longLink ?? raw.link;
  if (path.length > nameMax || link.length > nameMax) throw new TarFault(`a name is over ${nameMax} bytes`);
  if (path === "") throw new TarFault("an entry has no name");
  // before ustar, a directory was a file whose name ends in a slash
  const isDirectory = kind === "file" && path.endsWith("/");
  if (isDirectory && size > 0) throw new TarFault("a directory has content");
  return {
    kind: isDirectory ? "directory" : kind,
    path,
    link: kind === "symlink" || kind === "hardlink" ? link : ("" as ByteString),
    mode: raw.mode & 0o7777,
    uid: idOf(pax?.uid ?? raw.uid, "uid"),
    gid: idOf(pax?.gid ?? raw.gid, "gid"),
    user: pax?.user ?? raw.user,
    group: pax?.group ?? raw.group,
    size,
    mtimeNs: pax?.mtimeNs ?? BigInt(raw.mtime) * 1_000_000_000n,
    major: pax?.major ?? raw.major,
    minor: pax?.minor ?? raw.minor,
    xattrs: pax?.xattrs ?? [],
    ...(extents === undefined ? {} : { extents }),
  };
}

/** 2^32-1 means "unchanged" to chown(2). */
function idOf(value: number, what: string): number {
  if (value < 0 || value >= 0xffff_ffff) throw new TarFault(`${what} ${value} is out of range`);
  return value;
}
