/**
 * The 512-byte header of a tar entry, as bytes: ustar (POSIX.1-1988), old GNU and star variants.
 *
 * Source: POSIX pax(1) "ustar Interchange Format"; GNU tar manual "Basic Tar Format".
 */
import type { ByteString, Extent } from "./tar-entry.ts";

export const blockSize = 512;

/** A fault in an archive, before it has a place; the reader adds the offset. */
export class TarFault extends Error {}

/** The fields as they are written, no extension applied yet. */
export interface RawHeader {
  readonly type: string;
  readonly name: ByteString;
  readonly link: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly user: ByteString;
  readonly group: ByteString;
  readonly major: number;
  readonly minor: number;
  readonly gnu: boolean;
}

/** Reads one header block. The caller has already seen that it is not all zeros. */
export function decodeHeader(block: Buffer): RawHeader {
  checkSum(block);
  const magic = latin1(block, 257, 8);
  const gnu = magic === "ustar  \0";
  const ustar = magic.startsWith("ustar\0");
  const star = ustar && latin1(block, 508, 4) === "tar\0";
  const prefix = ustar ? text(block, 345, star ? 131 : 155) : "";
  const name = text(block, 0, 100);
  const named = gnu || ustar;
  const type = latin1(block, 156, 1);
  const isDevice = type === "3" || type === "4";
  return {
    type: type === "\0" || type === "7" ? "0" : type,
    name: (prefix === "" ? name : `${prefix}/${name}`) as ByteString,
    link: text(block, 157, 100),
    mode: number(block, 100, 8, "mode"),
    uid: number(block, 108, 8, "uid"),
    gid: number(block, 116, 8, "gid"),
    size: size(block, 124, 12, "size"),
    mtime: number(block, 136, 12, "mtime"),
    user: named ? text(block, 265, 32) : ("" as ByteString),
    group: named ? text(block, 297, 32) : ("" as ByteString),
    major: named && isDevice ? number(block, 329, 8, "device number") : 0,
    minor: named && isDevice ? number(block, 337, 8, "device number") : 0,
    gnu,
  };
}

/** The sum of all bytes, the checksum's own eight counted as spaces. Old writers summed signed bytes: both are right. */
function checkSum(block: Uint8Array): void {
  let unsigned = 8 * 0x20;
  let high = 0;
  for (let i = 0; i < blockSize; i++) {
    if (i === 148) i = 156;
    const byte = block[i] ?? 0;
    unsigned += byte;
    high += byte >> 7;
  }
  const written = number(block, 148, 8, "checksum");
  if (written !== unsigned && written !== unsigned - 256 * high) throw new TarFault("a header's checksum is wrong");
}

/** The extents of an old GNU sparse header (at 386, four of them), or of an extension block (at 0, twenty-one). */
export function decodeGnuExtents(block: Uint8Array, isExtension: boolean): { extents: Extent[]; more: boolean } {
  const [start, count, flag] = isExtension ? [0, 21, 504] : [386, 4, 482];
  const extents: Extent[] = [];
  for (let i = 0; i < count; i++) {
    const at = start + i * 24;
    if (block[at] === 0 || block[at + 12] === 0) break; // an unused slot ends the list
    extents.push({ offset: size(block, at, 12, "sparse offset"), size: size(block, at + 12, 12, "sparse size") });
  }
  return { extents, more: block[flag] !== 0 };
}

/** The unpacked size in an old GNU sparse header. */
export function decodeGnuRealSize(block: Uint8Array): number {
  return size(block, 483, 12, "sparse file size");
}

function latin1(block: Buffer, at: number, length: number): ByteString {
  return block.toString("latin1", at, at + length) as ByteString;
}

/** A field that ends at its first NUL or at its full length. */
function text(block: Buffer, at: number, length: number): ByteString {
  let end = at;
  while (end < at + length && block[end] !== 0) end++;
  return latin1(block, at, end - at);
}

function size(block: Uint8Array, at: number, length: number, what: string): number {
  const value = number(block, at, length, what);
  if (value < 0) throw new TarFault(`${what} is negative`);
  return value;
}

/** Octal text with blanks or NULs around it, or GNU's base-256 (first bit set): big-endian two's complement. */
function number(block: Uint8Array, at: number, length: number, what: string): number {
  const first = block[at] ?? 0;
  return first & 0x80 ? base256(block, at, length, what) : octal(block, at, length, what);
}

function octal(block: Uint8Array, at: number, length: number, what: string): number {
  let i = at;
  const end = at + length;
  while (i < end && (block[i] === 0x20 || block[i] === 0)) i++;
  let value = 0;
  for (; i < end; i++) {
    const digit = (block[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  for (; i < end; i++) if (block[i] !== 0x20 && block[i] !== 0) throw new TarFault(`${what} is not an octal number`);
  return value;
}

function base256(block: Uint8Array, at: number, length: number, what: string): number {
  const negative = ((block[at] ?? 0) & 0x40) !== 0;
  let value = BigInt((block[at] ?? 0) & 0x7f) - (negative ? 0x80n : 0n);
  for (let i = at + 1; i < at + length; i++) value = value * 256n + BigInt(block[i] ?? 0);
  const result = Number(value);
  if (!Number.isSafeInteger(result)) throw new TarFault(`${what} is out of range`);
  return result;
}
