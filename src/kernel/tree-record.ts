/** Decodes a tree's records (native/README.md), with which `tree-*` steps answer. */

import { FrameError } from "./frame.ts";

/** One file of any kind. Paths and names are bytes, as strings of one character each (latin1). */
export interface TreeNode {
  /** With the file type (S_IFMT). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  /** Device and inode: equal for two names of one file; "" for a file with one name. */
  readonly identity: string;
  readonly major: number;
  readonly minor: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  /** Below the start; "" is the start itself. */
  readonly path: string;
  /** A symbolic link's text. */
  readonly link: string;
  /** Of `tree-stat`: where the path finally leads; "" when nowhere. */
  readonly place: string;
  /** A mount point that was not entered. */
  readonly isMount: boolean;
  readonly isWhiteout: boolean;
  readonly isOpaque: boolean;
  /** The tree that is compared with has an entry of this path. */
  readonly isBelow: boolean;
  /** It equals that entry. */
  readonly isSame: boolean;
  /** It equals that entry but for its time. */
  readonly isTouched: boolean;
  /** Only that tree has it: an opaque directory hides it, or it was removed. */
  readonly isHidden: boolean;
}

export type TreeRecord =
  | { readonly kind: "entry"; readonly node: TreeNode }
  | { readonly kind: "attribute"; readonly name: string; readonly value: Uint8Array }
  | { readonly kind: "extent"; readonly offset: number; readonly size: number }
  | { readonly kind: "content"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: "file-end"; readonly isSparse: boolean }
  | { readonly kind: "walk-end" };

/** The records of one VALUE. Content is a view into it. */
export function decodeTreeRecords(value: Uint8Array): TreeRecord[] {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const records: TreeRecord[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = at + 5 <= bytes.length ? bytes.readUInt32LE(at) : 0;
    const end = at + 4 + size;
    if (size < 1 || end > bytes.length) throw new FrameError("a tree's record is cut short");
    records.push(decodeRecord(bytes[at + 4] ?? 0, bytes.subarray(at + 5, end)));
    at = end;
  }
  return records;
}

function decodeRecord(kind: number, fields: Buffer): TreeRecord {
  switch (kind) {
    case 1:
      return { kind: "entry", node: decodeNode(fields) };
    case 2: {
      const size = fields.readUInt16LE(0);
      return { kind: "attribute", name: latin1(fields, 2, size), value: fields.subarray(2 + size) };
    }
    case 3:
      return { kind: "extent", offset: u64(fields, 0), size: u64(fields, 8) };
    case 4:
      return { kind: "content", offset: u64(fields, 0), bytes: fields.subarray(8) };
    case 5:
      return { kind: "file-end", isSparse: fields[0] === 1 };
    case 6:
      return { kind: "walk-end" };
    default:
      throw new FrameError(`unknown tree record ${kind}`);
  }
}

function decodeNode(fields: Buffer): TreeNode {
  const flags = fields[56] ?? 0;
  const texts: string[] = [];
  for (let at = 57, i = 0; i < 3; i++) {
    const size = fields.readUInt16LE(at);
    texts.push(latin1(fields, at + 2, size));
    at += 2 + size;
  }
  const [path = "", link = "", place = ""] = texts;
  const links = fields.readUInt32LE(12);
  return {
    mode: fields.readUInt32LE(0),
    uid: fields.readUInt32LE(4),
    gid: fields.readUInt32LE(8),
    links,
    // most files have one name, and need no identity
    identity: links > 1 ? `${fields.readUInt32LE(16)}:${fields.readUInt32LE(20)}:${fields.readBigUInt64LE(48)}` : "",
    major: fields.readUInt32LE(24),
    minor: fields.readUInt32LE(28),
    size: u64(fields, 32),
    mtimeNs: fields.readBigInt64LE(40),
    path,
    link,
    place,
    isMount: (flags & 1) !== 0,
    isWhiteout: (flags & 2) !== 0,
    isOpaque: (flags & 4) !== 0,
    isBelow: (flags & 8) !== 0,
    isSame: (flags & 16) !== 0,
    isTouched: (flags & 64) !== 0,
    isHidden: (flags & 32) !== 0,
  };
}

/** Sizes and offsets of files: under 2^53 on every file system that exists. */
function u64(fields: Buffer, at: number): number {
  return fields.readUInt32LE(at) + fields.readUInt32LE(at + 4) * 0x1_0000_0000;
}

function latin1(fields: Buffer, at: number, size: number): string {
  return fields.toString("latin1", at, at + size);
}
