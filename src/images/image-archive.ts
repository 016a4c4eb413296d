/**
 * Reads an archive of images as a stream: files go into the content store under their digests, small ones are kept in memory, and links
 * are remembered. Which of the files make images is decided by `load`.
 */
import { createHash } from "node:crypto";
import { OrlopError } from "../base/errors.ts";
import { type Digest, digestOfHex, hexOf } from "../spec/digest.ts";
import { bytesOf, displayOf, type TarEntry } from "../spec/tar-entry.ts";
import { TarReader, type TarSink } from "../spec/tar-reader.ts";
import { Arrival, type ArrivingBlob } from "./arriving-blob.ts";
import type { ContentStore, StoredBlob } from "./content-store.ts";
import { decompress } from "./decompress.ts";
import type { Lease } from "./leases.ts";
import { Pieces } from "./pieces.ts";

/** Files up to this size are kept in memory: documents (manifests, configurations, indexes), and small layers, which does no harm. */
const documentMax = 4 << 20;
/** Limit of all files in memory together. */
const documentsMax = 64 << 20;
const entriesMax = 100_000;
/** How many files may be written and not yet on the disk. */
const unsyncedMax = 4;

export interface ReadOptions {
  readonly content: ContentStore;
  /** Holds every blob of the archive. */
  readonly lease: Lease;
  /** Called for a blob that was not in the store, while it arrives, with what is known of the archive; again until it returns that the blob is being read. */
  readonly onArriving?: (digest: Digest, blob: ArrivingBlob, archive: ImageArchive) => boolean;
}

/** The digest in the path of an OCI layout's blob; undefined for every other path. */
export function digestNamedBy(path: string): Digest | undefined {
  const hex = /^blobs\/sha256\/([a-f0-9]{64})$/.exec(path)?.[1];
  return hex === undefined ? undefined : digestOfHex(hex);
}

export class ImageArchive {
  readonly #blobs = new Map<string, StoredBlob>();
  readonly #documents = new Map<string, Uint8Array>();
  readonly #links = new Map<string, string>();

  /** Reads the whole archive. @throws {OrlopError} bad_tar, bad_image_archive, unsupported_compression, digest_mismatch */
  static async read(source: AsyncIterable<Uint8Array>, options: ReadOptions): Promise<ImageArchive> {
    const archive = new ImageArchive();
    const sink = new BlobSink(archive, options);
    const reader = new TarReader(sink);
    try {
      for await (const piece of decompress(source)) {
        reader.write(piece);
        await sink.settled();
      }
      reader.end();
      await sink.stored();
    } catch (error) {
      await sink.abandon(error);
      throw error;
    }
    return archive;
  }

  /** A file that was stored, links followed. */
  blob(path: string): StoredBlob | undefined {
    return this.#blobs.get(this.#resolve(path));
  }

  /** A small file's content. */
  document(path: string): Uint8Array | undefined {
    return this.#documents.get(this.#resolve(path));
  }

  add(path: string, blob: StoredBlob, document: Uint8Array | undefined): void {
    this.#blobs.set(path, blob);
    if (document !== undefined) this.#documents.set(path, document);
  }

  link(path: string, target: string): void {
    this.#links.set(path, target);
  }

  get size(): number {
    return this.#blobs.size + this.#links.size;
  }

  get documentBytes(): number {
    return [...this.#documents.values()].reduce((sum, { length }) => sum + length, 0);
  }

  #resolve(path: string): string {
    let at = clean(path);
    for (let hops = 0; hops < 10 && !this.#blobs.has(at); hops++) at = this.#links.get(at) ?? at;
    return at;
  }
}

interface ArchivedFile {
  readonly path: string;
  readonly pieces: Pieces;
  readonly size: number;
  /** Small, and kept at hand. */
  readonly isDocument: boolean;
}

interface Storing {
  readonly pieces: Pieces;
  readonly stored: Promise<void>;
}

/** Passes each file's content to the content store as it arrives. */
class BlobSink implements TarSink {
  readonly #archive: ImageArchive;
  readonly #options: ReadOptions;
  #pieces: Pieces | undefined;
  readonly #underWay = new Set<Storing>();

  constructor(archive: ImageArchive, options: ReadOptions) {
    this.#archive = archive;
    this.#options = options;
  }

  entry(entry: TarEntry): void {
    if (this.#archive.size > entriesMax) throw fault(`over ${entriesMax} files`);
    const path = clean(bytesOf(entry.path).toString());
    if (entry.kind === "symlink" || entry.kind === "hardlink") {
      const target = bytesOf(entry.link).toString();
      const folder = path.slice(0, path.lastIndexOf("/") + 1);
      this.#archive.link(path, clean(entry.kind === "symlink" ? `${folder}${target}` : target));
      return;
    }
    if (entry.kind !== "file") return;
    if (entry.extents !== undefined) throw fault(`${displayOf(entry.path)} is a sparse file`);
    this.#pieces = new Pieces(entry.size);
    const pieces = this.#pieces;
    const isSmall = entry.size <= documentMax && isDocument(path);
    const stored = this.#store({ path, pieces, size: entry.size, isDocument: isSmall });
    const storing = { pieces, stored };
    this.#underWay.add(storing);
    stored.then(
      () => this.#underWay.delete(storing),
      () => undefined, // reported by `settled` or `stored`
    );
  }

  data(chunk: Uint8Array): void {
    this.#pieces?.push(chunk);
  }

  finish(): void {
    this.#pieces?.end();
    this.#pieces = undefined;
  }

  /** Settles when everything read so far is written. Waits for the disk only when that is several files behind. */
  async settled(): Promise<void> {
    for (const { pieces, stored } of this.#underWay) await Promise.race([stored, pieces.drained()]);
    const [first] = this.#underWay;
    if (this.#underWay.size > unsyncedMax) await first?.stored;
  }

  /** Settles when everything that was read is in the store. */
  async stored(): Promise<void> {
    for (const { stored } of this.#underWay) await stored;
  }

  async abandon(error: unknown): Promise<void> {
    this.#pieces?.fail(error);
    await Promise.allSettled([...this.#underWay].map(({ stored }) => stored));
  }

  /** Whether a blob is in the store; from now on it is held there. */
  async #has(digest: Digest, size: number): Promise<boolean> {
    const { content, lease } = this.#options;
    lease.hold([digest]);
    return (await content.sizeOf(digest)) === size;
  }

  /** A file whose digest is known can be read while it arrives. */
  async #add(source: AsyncIterable<Uint8Array>, size: number, named: Digest | undefined): Promise<StoredBlob> {
    const { content, lease, onArriving } = this.#options;
    const hold = (digest: Digest): void => lease.hold([digest]);
    if (named === undefined || onArriving === undefined) return checked(await content.add(source, hold), named);
    const verified = Promise.withResolvers<void>();
    verified.promise.catch(() => undefined); // it may have no reader
    let arrival: Arrival | undefined;
    let isRead = false;
    const grow = (path: string, sizeBytes: number): void => {
      arrival ??= new Arrival([path, content.pathOf(named)], size, verified.promise);
      arrival.grow(sizeBytes);
      if (!isRead) isRead = onArriving(named, arrival, this.#archive);
    };
    try {
      const blob = checked(await content.add(source, hold, grow), named);
      verified.resolve();
      return blob;
    } catch (error) {
      verified.reject(error);
      throw error;
    }
  }

  async #store({ path, pieces, size, isDocument }: ArchivedFile): Promise<void> {
    const kept: Uint8Array[] = [];
    async function* watched(): AsyncGenerator<Uint8Array> {
      for await (const piece of pieces) {
        if (isDocument) kept.push(Buffer.from(piece));
        yield piece;
      }
    }
    const named = digestNamedBy(path);
    // index.json and the like belong to the archive, not to an image; a blob that is stored need not be written again
    const isHashed = named === undefined ? isDocument : await this.#has(named, size);
    const blob = isHashed ? checked(await hashOf(watched()), named) : await this.#add(watched(), size, named);
    this.#archive.add(path, blob, isDocument ? Buffer.concat(kept) : undefined);
    if (this.#archive.documentBytes > documentsMax) throw fault(`over ${documentsMax} bytes of documents`);
  }
}

/** @throws {OrlopError} digest_mismatch: the content does not have the digest of its name */
function checked(blob: StoredBlob, named: Digest | undefined): StoredBlob {
  if (named !== undefined && named !== blob.digest)
    throw OrlopError.of("digest_mismatch", {
      what: `blobs/sha256/${hexOf(named)}`,
      expected: named,
      actual: blob.digest,
    });
  return blob;
}

async function hashOf(source: AsyncIterable<Uint8Array>): Promise<StoredBlob> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const piece of source) {
    hash.update(piece);
    size += piece.length;
  }
  return { digest: digestOfHex(hash.digest("hex")), size };
}

/** What a manifest may name, by its name in archives. */
function isDocument(path: string): boolean {
  return !/\.(tar|tgz)(\.\w+)?$/.test(path);
}

function clean(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/"))
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  return parts.join("/");
}

function fault(reason: string): OrlopError {
  return OrlopError.of("bad_image_archive", { reason });
}
