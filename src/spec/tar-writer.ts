/**
 * Writes tar: a ustar header, and a PAX header in front of it for what ustar cannot say. Deterministic: equal entries give
 * equal bytes, so that a layer made twice has one digest.
 */
import {
  type ByteString,
  byteStringOfText,
  bytesOf,
  type Extent,
  plainEntry,
  type TarEntry,
  type TarKind,
} from "./tar-entry.ts";
import { blockSize } from "./tar-header.ts";

const typeOf: Record<TarKind, string> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

/** Two blocks of zeros: the end of an archive. */
export const tarEnd = new Uint8Array(2 * blockSize);

/** The largest numbers that ustar's octal fields hold. */
const eightMax = 0o7777777;
const twelveMax = 0o77777777777;

/**
 * The header blocks of an entry; its content and `tarPadding` of its size follow. With extents that is what lies in them alone,
 * and the map of a sparse file (GNU's version 1.0) stands behind the header.
 */
export function encodeTarHeader(entry: TarEntry): Uint8Array {
  if (entry.extents !== undefined) return encodeSparseHeader(entry, entry.extents);
  return encodeHeaders(entry, paxRecordsOf(entry));
}

function encodeHeaders(entry: TarEntry, records: Buffer[]): Uint8Array {
  if (records.length === 0) return ustarBlock(entry);
  const body = Buffer.concat(records.sort(Buffer.compare));
  const name = `PaxHeaders.0/${shortName(entry.path)}` as ByteString;
  const header = { ...plainEntry, path: name, size: body.length, mode: 0o644 };
  return Buffer.concat([ustarBlock(header, "x"), body, tarPadding(body.length), ustarBlock(entry)]);
}

/** For readers that do not know extended headers: plain, and short enough for ustar. */
function shortName(path: ByteString): string {
  return path.slice(-80).replace(/[^\x20-\x2e\x30-\x7e]/g, "_");
}

/** GNU tar manual, "Storing Sparse Files", PAX format, version 1.0: true name and size in the extended header. */
function encodeSparseHeader(entry: TarEntry, extents: readonly Extent[]): Uint8Array {
  const end = extents.at(-1);
  // a hole at the end is told by an extent of nothing
  const closed = end !== undefined && end.offset + end.size === entry.size;
  const all = closed ? extents : [...extents, { offset: entry.size, size: 0 }];
  const map = Buffer.from(`${all.length}\n${all.map(({ offset, size }) => `${offset}\n${size}\n`).join("")}`);
  const stored = map.length + tarPadding(map.length).length + extents.reduce((sum, { size }) => sum + size, 0);
  // no "path" record: Python's tarfile would take it for the file's name
  const outer = { ...entry, path: `GNUSparseFile.0/${shortName(entry.path)}` as ByteString, size: stored };
  const records = [
    ...paxRecordsOf(outer),
    paxRecord("GNU.sparse.major", bytesOf("1" as ByteString)),
    paxRecord("GNU.sparse.minor", bytesOf("0" as ByteString)),
    paxRecord("GNU.sparse.name", bytesOf(entry.path)),
    paxRecord("GNU.sparse.realsize", bytesOf(String(entry.size) as ByteString)),
  ];
  return Buffer.concat([encodeHeaders(outer, records), map, tarPadding(map.length)]);
}

/** The zeros that fill content of this size up to a whole block. */
export function tarPadding(size: number): Uint8Array {
  return tarEnd.subarray(0, (blockSize - (size % blockSize)) % blockSize);
}

function paxRecordsOf(entry: TarEntry): Buffer[] {
  const records: Buffer[] = [];
  const add = (key: string, value: Uint8Array | ByteString | string): void => {
    records.push(paxRecord(key, typeof value === "string" ? bytesOf(value as ByteString) : value));
  };
  if (splitName(entry.path) === undefined || !isAscii(entry.path)) add("path", entry.path);
  if (entry.link.length > 100 || !isAscii(entry.link)) add("linkpath", entry.link);
  if (entry.user.length > 31 || !isAscii(entry.user)) add("uname", entry.user);
  if (entry.group.length > 31 || !isAscii(entry.group)) add("gname", entry.group);
  if (entry.uid > eightMax) add("uid", String(entry.uid));
  if (entry.gid > eightMax) add("gid", String(entry.gid));
  if (entry.size > twelveMax) add("size", String(entry.size));
  if (entry.major > eightMax) add("SCHILY.devmajor", String(entry.major));
  if (entry.minor > eightMax) add("SCHILY.devminor", String(entry.minor));
  if (!fitsSeconds(entry.mtimeNs)) add("mtime", secondsText(entry.mtimeNs));
  for (const [name, value] of entry.xattrs) add(`SCHILY.xattr.${name}`, value);
  return records;
}

/** "LENGTH KEY=VALUE\n", LENGTH counting itself. */
function paxRecord(key: string, value: Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`, "latin1"), value, Buffer.from("\n")]);
  let digits = 1;
  while (String(rest.length + digits).length > digits) digits++;
  return Buffer.concat([Buffer.from(String(rest.length + digits)), rest]);
}

function ustarBlock(entry: TarEntry, type: string = typeOf[entry.kind]): Buffer {
  const block = Buffer.alloc(blockSize);
  const split = splitName(entry.path);
  block.write(split?.name ?? entry.path.slice(-100), 0, 100, "latin1");
  block.write(split?.prefix ?? "", 345, 155, "latin1");
  octal(block, 100, 8, entry.mode);
  octal(block, 108, 8, entry.uid > eightMax ? 0 : entry.uid);
  octal(block, 116, 8, entry.gid > eightMax ? 0 : entry.gid);
  octal(block, 124, 12, entry.size > twelveMax ? 0 : entry.size);
  octal(block, 136, 12, fitsSeconds(entry.mtimeNs) ? Number(entry.mtimeNs / nsPerSecond) : wholeSeconds(entry.mtimeNs));
  block.write(type, 156, 1, "latin1");
  block.write(entry.link.slice(0, 100), 157, 100, "latin1");
  block.write("ustar\0" + "00", 257, 8, "latin1");
  block.write(entry.user.slice(0, 31), 265, 32, "latin1");
  block.write(entry.group.slice(0, 31), 297, 32, "latin1");
  octal(block, 329, 8, entry.major > eightMax ? 0 : entry.major);
  octal(block, 337, 8, entry.minor > eightMax ? 0 : entry.minor);
  block.write("        ", 148, 8, "latin1");
  octal(
    block,
    148,
    7,
    block.reduce((sum, byte) => sum + byte, 0),
  );
  return block;
}

/** ustar's name (100) and prefix (155), split at a slash; undefined when the path does not fit. */
function splitName(path: ByteString): { name: string; prefix: string } | undefined {
  if (path.length <= 100) return { name: path, prefix: "" };
  if (path.length > 256) return undefined;
  // the name may end in a slash, so the one to split at is before the last character
  const slash = path.indexOf("/", path.length - 101);
  if (slash <= 0 || slash > 155 || slash >= path.length - 1) return undefined;
  return { name: path.slice(slash + 1), prefix: path.slice(0, slash) };
}

function octal(block: Buffer, at: number, length: number, value: number): void {
  block.write(value.toString(8).padStart(length - 1, "0"), at, length - 1, "latin1");
}

const nsPerSecond = 1_000_000_000n;

function fitsSeconds(ns: bigint): boolean {
  return ns >= 0n && ns % nsPerSecond === 0n && ns / nsPerSecond <= BigInt(twelveMax);
}

/** For readers without PAX: the second that a time is in, as far as ustar can say it. */
function wholeSeconds(ns: bigint): number {
  const seconds = ns / nsPerSecond;
  return seconds < 0n || seconds > BigInt(twelveMax) ? 0 : Number(seconds);
}

function secondsText(ns: bigint): ByteString {
  const size = ns < 0n ? -ns : ns;
  const fraction = String(size % nsPerSecond)
    .padStart(9, "0")
    .replace(/0+$/, "");
  return byteStringOfText(`${ns < 0n ? "-" : ""}${size / nsPerSecond}${fraction === "" ? "" : `.${fraction}`}`);
}

function isAscii(text: string): boolean {
  return !/[^\x20-\x7e]/.test(text);
}
