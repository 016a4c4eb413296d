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
import { type Collecting, extensionMax, extensionOf } from "./tar-extension.ts";
import { type ContentSink, checkExtents, ExtentWriter, extentsMax } from "./tar-extents.ts";
import {
  blockSize,
  decodeGnuExtents,
  decodeGnuRealSize,
  decodeHeader,
  type RawHeader,
  TarFault,
} from "./tar-header.ts";
import { type PaxChanges, parsePax, parseSparseMap, readPax } from "./tar-pax.ts";
import { entryOfHeaders, kindOf } from "./tar-read-entry.ts";

const zeroBlock = Buffer.alloc(blockSize);

/** Takes what the archive holds, in order: entry, its data, finish; then the next. */
export interface TarSink extends ContentSink {
  entry(entry: TarEntry): void;
  finish(): void;
}

export class TarReader {
  readonly #sink: TarSink;
  /** Of the archive, for error messages. */
  #offset = 0;
  /** A header that came in several pieces. */
  readonly #block = Buffer.alloc(blockSize);
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
  #content: ExtentWriter | undefined;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** Takes the next piece of the archive. @throws {OrlopError} bad_tar; what the sink throws passes through */
  write(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    try {
      let at = 0;
      while (at < bytes.length) {
        const taken = this.#take(bytes, at);
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

  /** Uses up a part of `bytes` from `at` on, at least one byte; how many. */
  #take(bytes: Buffer, at: number): number {
    const size = bytes.length - at;
    if (this.#left > 0) return this.#takeContent(bytes, at);
    if (this.#padding > 0) {
      const taken = Math.min(this.#padding, size);
      this.#padding -= taken;
      return taken;
    }
    if (this.#blockUsed === 0 && size >= blockSize) {
      this.#takeBlock(bytes.subarray(at, at + blockSize));
      return blockSize;
    }
    const taken = Math.min(blockSize - this.#blockUsed, size);
    bytes.copy(this.#block, this.#blockUsed, at, at + taken);
    this.#blockUsed += taken;
    if (this.#blockUsed === blockSize) {
      this.#blockUsed = 0;
      this.#takeBlock(this.#block);
    }
    return taken;
  }

  #takeContent(bytes: Buffer, at: number): number {
    const taken = Math.min(this.#left, bytes.length - at);
    const piece = bytes.subarray(at, at + taken);
    this.#left -= taken;
    if (this.#collecting !== undefined) this.#collect(piece);
    else if (this.#passing) this.#content?.pass(piece, this.#sink);
    if (this.#left === 0) this.#contentDone();
    return taken;
  }

  #takeBlock(block: Buffer): void {
    if (this.#collecting === "gnu-extents") {
      this.#moreGnuExtents(block);
    } else if (isZero(block)) {
      if (this.#pending()) throw new TarFault("an extended header has no entry");
      this.#zeroBlocks++;
    } else {
      if (this.#zeroBlocks > 1) throw new TarFault("there is something behind the archive's end");
      if (this.#zeroBlocks > 0) throw new TarFault("a block of zeros stands between entries");
      this.#takeHeader(decodeHeader(block), block);
    }
  }

  #takeHeader(raw: RawHeader, block: Buffer): void {
    const extension = extensionOf(raw);
    if (extension !== undefined) {
      this.#extension(extension, raw.size);
      return;
    }
    this.#raw = raw;
    if (raw.type === "S") this.#beginGnuSparse(raw, block);
    else this.#begin();
  }

  #beginGnuSparse(raw: RawHeader, block: Buffer): void {
    if (!raw.gnu) throw new TarFault("a sparse entry without GNU's magic");
    this.#realSize = decodeGnuRealSize(block);
    const { extents, more } = decodeGnuExtents(block, false);
    this.#extents = extents;
    if (more) this.#collecting = "gnu-extents";
    else this.#announce("file", this.#realSize, extents, raw.size);
  }

  #moreGnuExtents(block: Buffer): void {
    const { extents, more } = decodeGnuExtents(block, true);
    this.#extents = [...(this.#extents ?? []), ...extents];
    if (this.#extents.length > extentsMax) throw new TarFault(`a sparse file has over ${extentsMax} extents`);
    if (more) return;
    this.#collecting = undefined;
    this.#announce("file", this.#realSize, this.#extents, this.#raw?.size ?? 0);
  }

  #extension(collecting: Collecting, size: number): void {
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
    const kind = kindOf(raw);
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
    if (rest.length > 0) this.#content?.pass(rest, this.#sink);
  }

  #announce(kind: TarKind, size: number, extents: readonly Extent[] | undefined, stored: number): void {
    if (extents !== undefined) checkExtents(extents, size, stored);
    const headers = {
      raw: this.#raw as RawHeader,
      pax: this.#pax,
      longName: this.#longName,
      longLink: this.#longLink,
    };
    const entry = entryOfHeaders(headers, { kind, size: kind === "file" ? size : 0, extents });
    this.#pax = this.#longName = this.#longLink = undefined;
    this.#content = new ExtentWriter(extents ?? [{ offset: 0, size: stored }]);
    this.#passing = true;
    this.#left = stored;
    this.#padding = paddingOf(stored);
    this.#sink.entry(entry);
    if (stored === 0) this.#finishEntry();
  }

  #finishEntry(): void {
    this.#passing = false;
    this.#sink.finish();
  }
}

function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

/** Asked of every block of a padding, which an archive can have gigabytes of: not byte by byte. */
function isZero(block: Uint8Array): boolean {
  return block[0] === 0 && Buffer.compare(block, zeroBlock) === 0;
}

function untilNul(data: Uint8Array): ByteString {
  const end = data.indexOf(0);
  return byteStringOf(end < 0 ? data : data.subarray(0, end));
}
