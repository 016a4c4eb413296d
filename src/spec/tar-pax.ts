/**
 * PAX extended headers: `LENGTH KEY=VALUE\n` records, and what they say about sparse files and extended attributes.
 *
 * Source: POSIX pax(1) "pax Extended Header"; GNU tar manual "Storing Sparse Files"; star's SCHILY.xattr keys.
 */
import { seeded } from "../base/point.ts";
import { type ByteString, byteStringOf, type Extent } from "./tar-entry.ts";
import { TarFault } from "./tar-header.ts";

/** Records in the order they were written: GNU sparse format 0.0 repeats its keys. */
export type PaxRecords = readonly (readonly [key: ByteString, value: ByteString])[];

const xattrPrefix = "SCHILY.xattr.";
/** XATTR_NAME_MAX and XATTR_SIZE_MAX of the kernel. */
const xattrNameMax = 255;
const xattrValueMax = 65_536;

/** Reads a whole extended header. */
export function parsePax(data: Uint8Array): PaxRecords {
  const text = byteStringOf(data);
  const records: [ByteString, ByteString][] = [];
  let at = 0;
  while (at < text.length) {
    const space = text.indexOf(" ", at);
    const length = space < 0 || space - at > 7 ? "" : text.slice(at, space);
    const end = at + Number(length);
    if (!/^[0-9]+$/.test(length) || end > text.length || end < space + 3 || text[end - 1] !== "\n")
      throw new TarFault("an extended header's record has a wrong length");
    const equals = text.indexOf("=", space);
    if (equals <= space + 1 || equals >= end) throw new TarFault("an extended header's record has no key");
    records.push([text.slice(space + 1, equals) as ByteString, text.slice(equals + 1, end - 1) as ByteString]);
    at = end;
  }
  return records;
}

/** What a PAX header changes in the entry that follows it. */
export interface PaxChanges {
  path?: ByteString;
  link?: ByteString;
  user?: ByteString;
  group?: ByteString;
  uid?: number;
  gid?: number;
  size?: number;
  major?: number;
  minor?: number;
  mtimeNs?: bigint;
  readonly xattrs: (readonly [ByteString, Uint8Array])[];
  sparse?: SparseChanges;
}

/** GNU sparse 0.0 and 0.1 carry the map here; 1.0 puts it in front of the content. */
export interface SparseChanges {
  readonly mapInContent: boolean;
  readonly size: number;
  readonly extents: readonly Extent[];
}

/** What the records mean. Unknown keys mean nothing; an empty value takes an earlier one back. */
export function readPax(records: PaxRecords): PaxChanges {
  const values = new Map<string, ByteString>();
  for (const [key, value] of records) values.set(key, value);
  const changes: PaxChanges = { xattrs: readXattrs(values) };
  const path = values.get("GNU.sparse.name") ?? values.get("path");
  if (path && !seeded("conformance.long-name")) changes.path = withoutNul(path);
  setText(values, "linkpath", (value) => (changes.link = withoutNul(value)));
  setText(values, "uname", (value) => (changes.user = value));
  setText(values, "gname", (value) => (changes.group = value));
  setText(values, "uid", (value) => (changes.uid = decimal(value, "uid")));
  setText(values, "gid", (value) => (changes.gid = decimal(value, "gid")));
  setText(values, "size", (value) => (changes.size = decimal(value, "size")));
  setText(values, "SCHILY.devmajor", (value) => (changes.major = decimal(value, "device number")));
  setText(values, "SCHILY.devminor", (value) => (changes.minor = decimal(value, "device number")));
  setText(values, "mtime", (value) => (changes.mtimeNs = nanoseconds(value)));
  const sparse = readSparse(records, values);
  if (sparse !== undefined) changes.sparse = sparse;
  return changes;
}

function setText(values: ReadonlyMap<string, ByteString>, key: string, set: (value: ByteString) => void): void {
  const value = values.get(key);
  if (value !== undefined && value !== "") set(value);
}

function withoutNul(value: ByteString): ByteString {
  if (value.includes("\0")) throw new TarFault("a name has a NUL in it");
  return value;
}

function readXattrs(values: ReadonlyMap<string, ByteString>): [ByteString, Uint8Array][] {
  const xattrs: [ByteString, Uint8Array][] = [];
  for (const [key, value] of values) {
    if (!key.startsWith(xattrPrefix)) continue;
    const name = key.slice(xattrPrefix.length);
    if (name === "" || name.length > xattrNameMax || name.includes("\0"))
      throw new TarFault("an extended attribute's name is not 1 to 255 bytes without NUL");
    if (value.length > xattrValueMax) throw new TarFault("an extended attribute is over 64 KiB");
    xattrs.push([name as ByteString, Buffer.from(value, "latin1")]);
  }
  return xattrs;
}

function readSparse(records: PaxRecords, values: ReadonlyMap<string, ByteString>): SparseChanges | undefined {
  const major = values.get("GNU.sparse.major");
  if (major !== undefined) {
    if (major !== "1" || values.get("GNU.sparse.minor") !== "0") throw new TarFault("an unknown GNU sparse version");
    return {
      mapInContent: true,
      size: decimal(values.get("GNU.sparse.realsize") ?? "", "sparse file size"),
      extents: [],
    };
  }
  const size = values.get("GNU.sparse.size");
  if (size === undefined) return undefined;
  const map = values.get("GNU.sparse.map");
  const numbers = map === undefined ? repeatedNumbers(records) : map === "" ? [] : map.split(",");
  return { mapInContent: false, size: decimal(size, "sparse file size"), extents: pairs(numbers) };
}

/** Format 0.0: GNU.sparse.offset and GNU.sparse.numbytes, in turns. */
function repeatedNumbers(records: PaxRecords): string[] {
  const wanted = records.filter(([key]) => key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes");
  wanted.forEach(([key], i) => {
    if ((key === "GNU.sparse.offset") !== (i % 2 === 0)) throw new TarFault("a sparse map is out of order");
  });
  return wanted.map(([, value]) => value);
}

function pairs(numbers: readonly string[]): Extent[] {
  if (numbers.length % 2 !== 0) throw new TarFault("a sparse map has half a pair");
  const extents: Extent[] = [];
  for (let i = 0; i < numbers.length; i += 2)
    extents.push({
      offset: decimal(numbers[i] ?? "", "sparse offset"),
      size: decimal(numbers[i + 1] ?? "", "sparse size"),
    });
  return extents;
}

/**
 * Reads the map of sparse format 1.0 from the front of the content: decimal lines, padded to a block.
 *
 * @returns undefined while `data` does not hold the whole map; `size` counts the bytes it takes, padding included
 */
export function parseSparseMap(data: Uint8Array): { extents: Extent[]; size: number } | undefined {
  const text = byteStringOf(data);
  const first = text.indexOf("\n");
  if (first < 0) return undefined;
  const count = decimal(text.slice(0, first), "sparse map size") * 2;
  const numbers: string[] = [];
  let at = first + 1;
  while (numbers.length < count) {
    const end = text.indexOf("\n", at);
    if (end < 0) return undefined;
    numbers.push(text.slice(at, end));
    at = end + 1;
  }
  return { extents: pairs(numbers), size: Math.ceil(at / 512) * 512 };
}

function decimal(text: string, what: string): number {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new TarFault(`${what} is not a decimal number in range`);
  return value;
}

/** Seconds with a fraction, maybe negative; digits past nanoseconds are cut off towards the past, as GNU tar does. */
function nanoseconds(text: string): bigint {
  const match = /^(-?)([0-9]{1,12})(?:\.([0-9]*))?$/.exec(text);
  if (match === null) throw new TarFault("a time is not a decimal number");
  const [, sign, seconds = "0", fraction = ""] = match;
  const ns = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  if (sign === "") return ns;
  return -ns - (/[1-9]/.test(fraction.slice(9)) ? 1n : 0n);
}
