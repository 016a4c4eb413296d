/** Local files as an archive, and an archive as local files: the user's side of `cp`. */

import {
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  rmSync,
  type Stats,
  statSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { OrlopError } from "../base/errors.ts";
import { type ByteString, byteStringOf, bytesOf, displayOf, type TarEntry, type TarKind } from "../spec/tar-entry.ts";
import type { TarSink } from "../spec/tar-reader.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../spec/tar-writer.ts";
import { reasonOf } from "./file-failure.ts";

const pieceBytes = 256 * 1024;

/** @param follow the path itself may be a link to what is meant */
export async function* archiveOf(path: string, name: string, follow: boolean): AsyncGenerator<Uint8Array, void> {
  yield* walk(Buffer.from(path), byteStringOf(Buffer.from(name)), { follow, links: new Map() });
  yield tarEnd;
}

interface Walk {
  readonly follow: boolean;
  /** The first names of files that have several. */
  readonly links: Map<string, ByteString>;
}

async function* walk(path: Buffer, name: ByteString, { follow, links }: Walk): AsyncGenerator<Uint8Array, void> {
  const stat = read(path, () => (follow ? statSync(path) : lstatSync(path)));
  const kind = kindOf(stat);
  if (kind === undefined) return; // a socket
  const first = stat.nlink > 1 && kind !== "directory" ? links.get(`${stat.dev}:${stat.ino}`) : undefined;
  if (first === undefined) links.set(`${stat.dev}:${stat.ino}`, name);
  const entry = entryOf(stat, first === undefined ? kind : "hardlink", name, first ?? linkOf(path, kind));
  yield encodeTarHeader(entry);
  if (entry.size > 0) yield* contentOf(path, entry.size);
  if (kind !== "directory") return;
  for (const child of read(path, () => readdirSync(path, { encoding: "buffer" })).sort(Buffer.compare)) {
    const below = Buffer.concat([path, Buffer.from("/"), child]);
    const inside = name.endsWith("/") ? name : `${name}/`;
    yield* walk(below, `${inside}${byteStringOf(child)}` as ByteString, { follow: false, links });
  }
}

function read<T>(path: Buffer, look: () => T): T {
  try {
    return look();
  } catch (error) {
    throw OrlopError.of("file_unreadable", { what: "cp", path: path.toString(), reason: reasonOf(error) }, error);
  }
}

function kindOf(stat: Stats): TarKind | undefined {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symlink";
  if (stat.isFIFO()) return "fifo";
  if (stat.isCharacterDevice()) return "character";
  return stat.isBlockDevice() ? "block" : undefined;
}

function linkOf(path: Buffer, kind: TarKind): ByteString {
  return kind === "symlink" ? byteStringOf(readlinkSync(path, { encoding: "buffer" })) : ("" as ByteString);
}

function entryOf(stat: Stats, kind: TarKind, path: ByteString, link: ByteString): TarEntry {
  const isDevice = kind === "character" || kind === "block";
  return {
    kind,
    path: (kind === "directory" && !path.endsWith("/") ? `${path}/` : path) as ByteString,
    link,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    user: "" as ByteString,
    group: "" as ByteString,
    size: kind === "file" ? stat.size : 0,
    mtimeNs: BigInt(Math.round(stat.mtimeMs * 1e3)) * 1000n,
    // makedev(3)
    major: isDevice ? (stat.rdev >> 8) & 0xfff : 0,
    minor: isDevice ? (stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00) : 0,
    xattrs: [],
  };
}

/** As many bytes as the header said, whatever becomes of the file meanwhile. */
function* contentOf(path: Buffer, size: number): Generator<Uint8Array, void> {
  const fd = read(path, () => openSync(path, "r"));
  try {
    for (let left = size; left > 0; ) {
      const piece = new Uint8Array(Math.min(left, pieceBytes));
      const got = readSync(fd, piece, 0, piece.length, null);
      left -= got === 0 ? piece.length : got;
      yield got === 0 ? piece : piece.subarray(0, got); // a file that became shorter: zeros
    }
  } finally {
    closeSync(fd);
  }
  yield tarPadding(size);
}

/**
 * Writes an archive's entries into a directory. Nothing is written through a link that came with the archive. A directory is its
 * maker's alone until everything is in it: who else may write there then could put links in the way of what still comes.
 */
export class LocalWriter implements TarSink {
  readonly #directory: string;
  readonly #rename: (path: string) => string;
  readonly #directories: { readonly place: Buffer; readonly mode: number; readonly seconds: number }[] = [];
  #fd: number | undefined;
  #place: Buffer | undefined;
  #entry: TarEntry | undefined;

  /** @param rename an entry's name in the directory */
  constructor(directory: string, rename: (path: string) => string) {
    this.#directory = directory;
    this.#rename = rename;
  }

  entry(entry: TarEntry): void {
    const name = this.#clean(entry.path);
    const place = Buffer.concat([Buffer.from(`${this.#directory}/`), bytesOf(name)]);
    this.#checkParents(name, entry);
    this.#entry = entry;
    this.#place = place;
    if (entry.kind === "directory") this.#makeDirectory(place);
    else this.#makeOther(place, entry);
  }

  data(chunk: Uint8Array, offset: number): void {
    if (this.#fd === undefined) return;
    for (let done = 0; done < chunk.length; )
      done += writeSync(this.#fd, chunk, done, chunk.length - done, offset + done);
  }

  finish(): void {
    const entry = this.#entry as TarEntry;
    const place = this.#place as Buffer;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    if (entry.kind === "hardlink") return;
    const seconds = Number(entry.mtimeNs) / 1e9;
    if (entry.kind === "symlink") {
      lutimesSync(place, seconds, seconds);
      return;
    }
    if (entry.kind === "directory") this.#directories.push({ place, mode: entry.mode, seconds });
    else {
      chmodSync(place, entry.mode);
      utimesSync(place, seconds, seconds);
    }
  }

  /** Directories get their modes and times when everything in them is there, the inner ones first. */
  end(): void {
    for (const { place, mode, seconds } of this.#directories.reverse()) {
      chmodSync(place, mode);
      utimesSync(place, seconds, seconds);
    }
  }

  #clean(path: ByteString): ByteString {
    const parts = this.#rename(path)
      .split("/")
      .filter((part) => part !== "" && part !== ".");
    if (parts.includes("..")) throw refuse(path, "its name leads out with ..");
    return (parts.join("/") || ".") as ByteString;
  }

  #checkParents(name: string, entry: TarEntry): void {
    const parts = name.split("/").slice(0, -1);
    for (let i = 1; i <= parts.length; i++) {
      const parent = Buffer.concat([
        Buffer.from(`${this.#directory}/`),
        bytesOf(parts.slice(0, i).join("/") as ByteString),
      ]);
      const stat = lstatSync(parent, { throwIfNoEntry: false });
      if (stat === undefined) mkdirSync(parent);
      else if (!stat.isDirectory()) throw refuse(entry.path, "it lies in something that is no directory");
    }
  }

  #makeDirectory(place: Buffer): void {
    const stat = lstatSync(place, { throwIfNoEntry: false });
    if (stat === undefined) mkdirSync(place, { mode: 0o700 });
    else if (!stat.isDirectory()) throw OrlopError.of("no_overwrite_file", { path: place.toString() });
  }

  #makeOther(place: Buffer, entry: TarEntry): void {
    if (lstatSync(place, { throwIfNoEntry: false })?.isDirectory() === true)
      throw OrlopError.of("no_overwrite_directory", { path: place.toString() });
    if (entry.kind === "character" || entry.kind === "block" || entry.kind === "fifo")
      throw refuse(
        entry.path,
        `a ${entry.kind} device or pipe cannot be made here (orlop cp CONTAINER:PATH - | tar -x can)`,
      );
    rmSync(place, { force: true });
    if (entry.kind === "symlink") symlinkSync(bytesOf(entry.link), place);
    else if (entry.kind === "hardlink") linkSync(join(this.#directory, this.#clean(entry.link)), place);
    else this.#fd = openSync(place, "wx", 0o600);
  }
}

function refuse(path: ByteString, reason: string): OrlopError {
  return OrlopError.of("copy_refused", { entry: displayOf(path), reason });
}
