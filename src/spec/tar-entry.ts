/** What a tar archive says about one file: the same value for the reader, the writer and the unpacking planner. */

/**
 * Bytes as a string, one character per byte (latin1). File names are bytes, not text: this keeps every name whole, and
 * comparing, splitting and hashing stay as fast as for ASCII.
 */
export type ByteString = string & { readonly brand: "ByteString" };

export type TarKind = "file" | "directory" | "symlink" | "hardlink" | "character" | "block" | "fifo";

/** A stretch of a sparse file that has content; the rest is holes. */
export interface Extent {
  readonly offset: number;
  readonly size: number;
}

export interface TarEntry {
  readonly kind: TarKind;
  /** As written: may be absolute, hold `..`, end in `/`. Judging it is the planner's business. */
  readonly path: ByteString;
  /** Target of a symlink, or the path that a hard link shares. */
  readonly link: ByteString;
  /** Permission bits, set-id and sticky bits included (07777). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Names of owner and group, "" where the archive has none. */
  readonly user: ByteString;
  readonly group: ByteString;
  /** Of the file once it is unpacked, holes included; 0 for all but files. */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: readonly (readonly [name: ByteString, value: Uint8Array])[];
  /** Of a sparse file: ascending, not overlapping. Absent: the content is whole. */
  readonly extents?: readonly Extent[];
}

/** The bytes of a byte string. */
export function bytesOf(text: ByteString): Buffer {
  return Buffer.from(text, "latin1");
}

/** The byte string of these bytes. */
export function byteStringOf(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1") as ByteString;
}

/** The byte string of a text's UTF-8. */
export function byteStringOfText(text: string): ByteString {
  return Buffer.from(text, "utf8").toString("latin1") as ByteString;
}

/** For people: the UTF-8 that the bytes most likely are, quoted, at most 200 characters. */
export function displayOf(bytes: ByteString): string {
  return JSON.stringify(bytesOf(bytes).toString("utf8").slice(0, 200));
}

/** An empty file without a name: what an entry is but for what is said of it. */
export const plainEntry: TarEntry = {
  kind: "file",
  path: "" as ByteString,
  link: "" as ByteString,
  mode: 0,
  uid: 0,
  gid: 0,
  user: "" as ByteString,
  group: "" as ByteString,
  size: 0,
  mtimeNs: 0n,
  major: 0,
  minor: 0,
  xattrs: [],
};
