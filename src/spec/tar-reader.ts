/**
 * Reads a tar archive as it streams by: ustar, PAX, GNU, sparse files of every kind. Bounded: what an archive says can
 * make it fail, never grow.
 *
 * Where readers of the world disagree, this one agrees with Go's archive/tar, because Docker made the layers with it:
 * global headers mean nothing, only regular files have content, an archive may end without its end marker.
 */
import { OrlopError } from "../base/errors.ts";
import type { ByteString, Extent, TarEntry, TarKind } from "./tar-entry.ts";
import { byteStringOf } from "./tar-entry.ts";
import {
  blockSize,
  decodeGnuExtents,
  decodeGnuRealSize,
  decodeHeader,
  type RawHeader,
  TarFault,
} from "./tar-header.ts";
import { type PaxChanges, parsePax, parseSparseMap, readPax } from "./tar-pax.ts";

/** Takes what the archive holds, in order: entry, its data, finish; then the next. */
export interface TarSink {
  entry(entry: TarEntry): void;
  /** A piece of the entry's content, valid until this returns. offset: in the file, holes counted. */
  data(chunk: Uint8Array, offset: number): void;
  finish(): void;
}

/** PATH_MAX: no kernel takes a longer name. */
const nameMax = 4096;
const extensionMax = 1 << 20;
const extentsMax = 65_536;

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

const extensions: Readonly<Record<string, Collecting>> = {
  x: "pax",
  X: "pax",
  g: "global",
  L: "long-name",
  K: "long-link",
};

/** Why bytes are being collected instead of passed on. */
type Collecting = "pax" | "global" | "long-name" | "long-link" | "gnu-extents" | "sparse-map";

export class TarReader {
  readonly #sink: TarSink;
  /** Of the archive, for error messages. */
  #offset = 0;
  readonly #block = new Uint8Array(blockSize);
  #blockUsed = 0;
  /** Content of an extension, while `#collecting` says which. */
  #collected: Uint8Array[] = [];
  #collectedSize = 0;
  #tryMapAt = blockSize;
  #collecting: Collecting | undefined;
  /** Archive bytes left of the current content or extension, and of the padding behind it. */
  #left = 0;
  #padding = 0;
  #passing = false;
  #zeroBlocks = 0;
  // what the extensions before the next header said
  #pax: PaxChanges | undefined;
  #longName: ByteString | undefined;
  #longLink: ByteString | undefined;
  // the entry whose content is passing
  #raw: RawHeader | undefined;
  #realSize = 0;
  #extents: Extent[] | undefined;
  #extentIndex = 0;
  #extentDone = 0;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** Takes the next piece of the archive. @throws {OrlopError} bad_tar; what the sink throws passes through */
  write(chunk: Uint8Array): void {
    try {
      let at = 0;
      while (at < chunk.length) {
        const taken = this.#take(at === 0 ? chunk : chunk.subarray(at));
        at += taken;
        this.#offset += taken;
      }
    } catch (error) {
      throw this.#placed(error);
    }
  }

  /** The archive's bytes are all there. */
  end(): void {
    const whole = this.#left === 0 && this.#padding === 0 && this.#blockUsed === 0 && !this.#pending();
    if (!whole) throw this.#placed(new TarFault("it ends in the middle of an entry"));
  }

  #pending(): boolean {
    return [this.#collecting, this.#pax, this.#longName, this.#longLink].some((part) => part !== undefined);
  }

  #placed(error: unknown): unknown {
    if (!(error instanceof TarFault)) return error;
    return OrlopError.of("bad_tar", { reason: error.message, offset: this.#offset });
  }

  /** Uses up a part of `chunk`, at least one byte; how many. */
  #take(chunk: Uint8Array): number {
    if (this.#left > 0) return this.#takeContent(chunk);
    if (this.#padding > 0) {
      const taken = Math.min(this.#padding, chunk.length);
      this.#padding -= taken;
      return taken;
    }
    const taken = Math.min(blockSize - this.#blockUsed, chunk.length);
    this.#block.set(chunk.subarray(0, taken), this.#blockUsed);
    this.#blockUsed += taken;
    if (this.#blockUsed === blockSize) {
      this.#blockUsed = 0;
      this.#takeBlock();
    }
    return taken;
  }

  #takeContent(chunk: Uint8Array): number {
    const taken = Math.min(this.#left, chunk.length);
    const piece = taken === chunk.length ? chunk : chunk.subarray(0, taken);
    this.#left -= taken;
    if (this.#collecting !== undefined) this.#collect(piece);
    else if (this.#passing) this.#pass(piece);
    if (this.#left === 0) this.#contentDone();
    return taken;
  }

  #takeBlock(): void {
    if (this.#collecting === "gnu-extents") {
      this.#moreGnuExtents();
    } else if (isZero(this.#block)) {
      if (this.#pending()) throw new TarFault("an extended header has no entry");
      this.#zeroBlocks++;
    } else {
      if (this.#zeroBlocks > 1) throw new TarFault("there is something behind the archive's end");
      if (this.#zeroBlocks > 0) throw new TarFault("a block of zeros stands between entries");
      this.#takeHeader(decodeHeader(this.#block));
    }
  }

  #takeHeader(raw: RawHeader): void {
    const extension = extensions[raw.type];
    if (extension !== undefined) {
      this.#extension(extension, raw.size);
      return;
    }
    this.#raw = raw;
    if (raw.type === "S") this.#beginGnuSparse(raw);
    else this.#begin();
  }

  #beginGnuSparse(raw: RawHeader): void {
    if (!raw.gnu) throw new TarFault("a sparse entry without GNU's magic");
    this.#realSize = decodeGnuRealSize(this.#block);
    const { extents, more } = decodeGnuExtents(this.#block, false);
    this.#extents = extents;
    if (more) this.#collecting = "gnu-extents";
    else this.#announce("file", this.#realSize, extents, raw.size);
  }

  #moreGnuExtents(): void {
    const { extents, more } = decodeGnuExtents(this.#block, true);
    this.#extents = [...(this.#extents ?? []), ...extents];
    if (this.#extents.length > extentsMax) throw new TarFault(`a sparse file has over ${extentsMax} extents`);
    if (more) return;
    this.#collecting = undefined;
    this.#announce("file", this.#realSize, this.#extents, this.#raw?.size ?? 0);
  }

  #extension(collecting: Collecting, size: number): void {
    const limit = collecting === "pax" || collecting === "global" ? extensionMax : nameMax + 1;
    if (size > limit) throw new TarFault(`${describe[collecting]} is over ${limit} bytes`);
    this.#collecting = collecting;
    this.#collected = [];
    this.#left = size;
    this.#padding = paddingOf(size);
    if (size === 0) this.#contentDone();
  }

  #collect(piece: Uint8Array): void {
    this.#collected.push(piece.slice());
    this.#collectedSize += piece.length;
    // looked at when it has doubled: a map that trickles in costs no more than one that comes at once
    if (this.#collecting === "sparse-map" && (this.#collectedSize >= this.#tryMapAt || this.#left === 0))
      this.#tryMap();
  }

  #contentDone(): void {
    const collecting = this.#collecting;
    this.#collecting = undefined;
    if (collecting === undefined) {
      if (this.#passing) this.#finishEntry();
      return;
    }
    const data = Buffer.concat(this.#collected);
    this.#collected = [];
    if (collecting === "pax") this.#pax = readPax(parsePax(data));
    else if (collecting === "long-name") this.#longName = untilNul(data);
    else if (collecting === "long-link") this.#longLink = untilNul(data);
    else if (collecting === "sparse-map") throw new TarFault("a sparse map is cut short");
  }

  /** All headers of an entry are read, old GNU sparse files aside: tell the sink, and let the content pass. */
  #begin(): void {
    const raw = this.#raw as RawHeader;
    const kind = kinds[raw.type];
    if (kind === undefined) throw new TarFault(`entries of type ${JSON.stringify(raw.type)} are not supported`);
    const stored = kind === "file" ? (this.#pax?.size ?? raw.size) : 0;
    const sparse = kind === "file" ? this.#pax?.sparse : undefined;
    if (sparse?.mapInContent === true) {
      this.#realSize = sparse.size;
      this.#collecting = "sparse-map";
      this.#collected = [];
      this.#collectedSize = 0;
      this.#tryMapAt = blockSize;
      this.#left = stored;
      this.#padding = paddingOf(stored);
      if (stored === 0) this.#contentDone();
    } else {
      this.#announce(kind, sparse?.size ?? stored, sparse?.extents, stored);
    }
  }

  /** Sparse 1.0: the map may end within the piece that was just collected; what is left over is content already. */
  #tryMap(): void {
    const data = Buffer.concat(this.#collected);
    const map = parseSparseMap(data);
    if (data.length > extensionMax && map === undefined) throw new TarFault("a sparse map is over 1 MiB");
    this.#tryMapAt = data.length * 2;
    this.#collected = [data];
    if (map === undefined || data.length < map.size) return;
    this.#collected = [];
    this.#collecting = undefined;
    const rest = data.subarray(map.size);
    const { left, padding } = { left: this.#left, padding: paddingOf(data.length + this.#left) };
    this.#announce("file", this.#realSize, map.extents, rest.length + left);
    this.#left = left;
    this.#padding = padding;
    if (rest.length > 0) this.#pass(rest);
  }

  #announce(kind: TarKind, size: number, extents: readonly Extent[] | undefined, stored: number): void {
    if (extents !== undefined) checkExtents(extents, size, stored);
    const entry = this.#entryOf(kind, kind === "file" ? size : 0, extents);
    this.#pax = this.#longName = this.#longLink = undefined;
    this.#extents = extents === undefined ? [{ offset: 0, size: stored }] : [...extents];
    this.#extentIndex = this.#extentDone = 0;
    this.#passing = true;
    this.#left = stored;
    this.#padding = paddingOf(stored);
    this.#sink.entry(entry);
    if (stored === 0) this.#finishEntry();
  }

  #entryOf(kind: TarKind, size: number, extents: readonly Extent[] | undefined): TarEntry {
    const raw = this.#raw as RawHeader;
    const pax = this.#pax;
    const path = pax?.path ?? this.#longName ?? raw.name;
    const link = pax?.link ?? this.#longLink ?? raw.link;
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

  /** Content: cut at the extents' borders, each piece with its offset in the file. */
  #pass(piece: Uint8Array): void {
    let at = 0;
    while (at < piece.length) {
      const extent = this.#extents?.[this.#extentIndex];
      if (extent === undefined) throw new TarFault("a sparse file has more content than its map");
      const taken = Math.min(extent.size - this.#extentDone, piece.length - at);
      if (taken > 0) this.#sink.data(piece.subarray(at, at + taken), extent.offset + this.#extentDone);
      at += taken;
      this.#extentDone += taken;
      if (this.#extentDone === extent.size) {
        this.#extentIndex++;
        this.#extentDone = 0;
      }
    }
  }

  #finishEntry(): void {
    this.#passing = false;
    this.#sink.finish();
  }
}

const describe: Readonly<Record<Collecting, string>> = {
  pax: "an extended header",
  global: "a global header",
  "long-name": "a name",
  "long-link": "a link's target",
  "gnu-extents": "a sparse map",
  "sparse-map": "a sparse map",
};

function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

function isZero(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

function untilNul(data: Uint8Array): ByteString {
  const end = data.indexOf(0);
  return byteStringOf(end < 0 ? data : data.subarray(0, end));
}

/** 2^32-1 means "unchanged" to chown(2). */
function idOf(value: number, what: string): number {
  if (value < 0 || value >= 0xffff_ffff) throw new TarFault(`${what} ${value} is out of range`);
  return value;
}

function checkExtents(extents: readonly Extent[], size: number, stored: number): void {
  if (extents.length > extentsMax) throw new TarFault(`a sparse file has over ${extentsMax} extents`);
  let end = 0;
  let sum = 0;
  for (const extent of extents) {
    if (extent.offset < end) throw new TarFault("a sparse map is out of order");
    end = extent.offset + extent.size;
    sum += extent.size;
  }
  if (end > size) throw new TarFault("a sparse map goes past the file's end");
  if (sum !== stored) throw new TarFault("a sparse map does not match the content's size");
}
