/**
 * Blobs on disk: an OCI image layout (image-layout.md), which skopeo and others can read.
 *
 *     oci-layout  index.json  blobs/sha256/HEX     the layout
 *     ingest/HEX                                   blobs that are arriving; no other tool reads them
 *     ingest/stream-N                              the same, while their digest is not known
 *
 * A blob under its final name is complete and verified: its bytes were hashed as they arrived, and synced before the rename. So its
 * existence is proof, also after a power loss. The name itself is on the disk once `sync` has settled, which comes before any record
 * that depends on it. A file in `ingest` proves nothing: it is hashed again when a download resumes.
 */
import { createHash } from "node:crypto";
import { constants, existsSync, renameSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { OrlopError } from "../base/errors.ts";
import { type Digest, digestOfHex, hexOf } from "../spec/digest.ts";
import { SyncedDirectory } from "../store/synced-directory.ts";
import { Ingest } from "./ingest.ts";
import { LayoutIndex, type NamedManifest } from "./layout-index.ts";
import { hashFile, sizeOf } from "./stored-file.ts";
import { type OpenPlan, Writeback } from "./writeback.ts";

/** Begins the names of files in `ingest` whose digest is not known yet: an interrupted one cannot be resumed. */
const streamPrefix = "stream-";
/** Ends the names of blobs that are being removed. */
const goneSuffix = ".gone";

export interface StoredBlob {
  readonly digest: Digest;
  readonly size: number;
}

interface Parts {
  readonly blobs: string;
  readonly ingest: string;
  readonly index: LayoutIndex;
  readonly openPlan: OpenPlan | undefined;
}

export class ContentStore {
  readonly root: string;
  readonly #blobs: SyncedDirectory;
  readonly #ingest: string;
  readonly #openPlan: OpenPlan | undefined;
  #streams = 0;
  readonly #puts = new Map<Digest, Promise<void>>();
  readonly #index: LayoutIndex;

  private constructor(root: string, { blobs, ingest, index, openPlan }: Parts) {
    this.root = root;
    this.#openPlan = openPlan;
    this.#blobs = new SyncedDirectory(blobs);
    this.#ingest = ingest;
    this.#index = index;
  }

  /** Opens the layout in this directory, or makes one. @param openPlan see Writeback */
  static async open(root: string, openPlan?: OpenPlan): Promise<ContentStore> {
    const blobs = join(root, "blobs", "sha256");
    const ingest = join(root, "ingest");
    await mkdir(blobs, { recursive: true, mode: 0o700 });
    await mkdir(ingest, { recursive: true, mode: 0o700 });
    for (const name of await readdir(ingest))
      if (name.startsWith(streamPrefix) || name.endsWith(goneSuffix)) await rm(join(ingest, name), { force: true });
    return new ContentStore(root, { blobs, ingest, index: await LayoutIndex.open(root, ingest), openPlan });
  }

  /** Settles when every blob that exists now would survive a power loss. */
  sync(): Promise<void> {
    return this.#blobs.sync();
  }

  /** The path of a stored blob. */
  pathOf(digest: Digest): string {
    return join(this.#blobs.path, hexOf(digest));
  }

  /** The path of an arriving blob. */
  ingestPathOf(digest: Digest): string {
    return join(this.#ingest, hexOf(digest));
  }

  /** Whether a blob is stored; synchronous. */
  hasNow(digest: Digest): boolean {
    return existsSync(this.pathOf(digest));
  }

  /** A stored blob's size; undefined when it is not, or not completely, stored. */
  sizeOf(digest: Digest): Promise<number | undefined> {
    return sizeOf(this.pathOf(digest));
  }

  /** Reads a small blob, and hashes it again. @throws {OrlopError} blob_unknown, digest_mismatch, size_mismatch */
  read(digest: Digest, limitBytes: number): Promise<Uint8Array> {
    return this.#read(this.pathOf(digest), digest, limitBytes);
  }

  /** The same for a blob whose last byte has arrived, though it may not be on the disk yet. */
  readArriving(digest: Digest, limitBytes: number): Promise<Uint8Array> {
    return this.#read(this.ingestPathOf(digest), digest, limitBytes).catch(() => this.read(digest, limitBytes));
  }

  async #read(path: string, digest: Digest, limitBytes: number): Promise<Uint8Array> {
    const size = await sizeOf(path);
    if (size === undefined) throw OrlopError.of("blob_unknown", { digest });
    if (size > limitBytes)
      throw OrlopError.of("size_mismatch", { what: `blob ${digest}`, expected: limitBytes, actual: `${size}` });
    const bytes = await readFile(path);
    const actual = digestOfHex(createHash("sha256").update(bytes).digest("hex"));
    if (actual !== digest) throw OrlopError.of("digest_mismatch", { what: "a stored blob", expected: digest, actual });
    return bytes;
  }

  /** Stores a small blob from memory unless it is stored already, and returns its digest. */
  async put(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOfHex(createHash("sha256").update(bytes).digest("hex"));
    // never two writers of one file
    const writing = this.#puts.get(digest) ?? this.#write(digest, bytes).finally(() => this.#puts.delete(digest));
    this.#puts.set(digest, writing);
    await writing;
    return digest;
  }

  async #write(digest: Digest, bytes: Uint8Array): Promise<void> {
    if ((await this.sizeOf(digest)) !== undefined) return;
    await using ingest = await this.openIngest({ digest, size: bytes.length });
    if (ingest.offset > 0) await ingest.restart();
    await ingest.write(new Uint8Array(bytes)); // a copy, because `write` keeps the buffer
    await ingest.commit();
  }

  /**
   * Stores a blob whose digest is known only when its last byte has arrived.
   *
   * @param hold called before the blob has its name: a lease that keeps it
   * @param onWritten called with the path of the growing file and its size
   */
  async add(
    source: AsyncIterable<Uint8Array>,
    hold: (digest: Digest) => void,
    onWritten: (path: string, sizeBytes: number) => void = () => undefined,
  ): Promise<StoredBlob> {
    const path = join(this.#ingest, `${streamPrefix}${this.#streams++}`);
    const hash = createHash("sha256");
    let size = 0;
    try {
      await using file = await open(path, "wx", 0o600);
      await using writeback = new Writeback(path, this.#openPlan);
      for await (const bytes of source) {
        hash.update(bytes);
        for (let done = 0; done < bytes.length; )
          done += (await file.write(bytes, done, bytes.length - done, size + done)).bytesWritten;
        size += bytes.length;
        writeback.written(size);
        onWritten(path, size);
      }
      const digest = digestOfHex(hash.digest("hex"));
      hold(digest);
      if ((await this.sizeOf(digest)) === undefined) {
        await writeback.sync(file);
        await rename(path, this.pathOf(digest));
        this.#blobs.changed();
      }
      return { digest, size };
    } finally {
      await rm(path, { force: true });
    }
  }

  /** Begins or resumes storing a blob. The caller makes sure that there is only one at a time for a digest. */
  async openIngest(blob: { readonly digest: Digest; readonly size: number }): Promise<Ingest> {
    const path = this.ingestPathOf(blob.digest);
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      const { hash, size } = await hashFile(file, blob.size);
      return new Ingest({
        blob,
        path,
        target: this.pathOf(blob.digest),
        folder: this.#blobs,
        file,
        hash,
        offset: size,
        openPlan: this.#openPlan,
      });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** All stored blobs. */
  async list(): Promise<{ readonly digest: Digest; readonly size: number }[]> {
    const names = await readdir(this.#blobs.path);
    const found = await Promise.all(
      names
        .filter((name) => /^[a-f0-9]{64}$/.test(name))
        .map(async (name) => ({ digest: digestOfHex(name), size: await sizeOf(join(this.#blobs.path, name)) })),
    );
    return found.flatMap(({ digest, size }) => (size === undefined ? [] : [{ digest, size }]));
  }

  /** Whether a blob's content still has its digest. */
  async verify(digest: Digest): Promise<boolean> {
    await using file = await open(this.pathOf(digest), "r");
    const { hash } = await hashFile(file, Number.POSITIVE_INFINITY);
    return digestOfHex(hash.digest("hex")) === digest;
  }

  /**
   * Removes a blob; a missing one is no error. It is renamed away before this function yields, so that a caller that takes a lease and
   * then looks for the blob finds it complete or not at all.
   */
  async remove(digest: Digest): Promise<void> {
    const gone = join(this.#ingest, `${hexOf(digest)}${goneSuffix}`);
    try {
      renameSync(this.pathOf(digest), gone);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    await rm(gone, { force: true });
  }

  /** Removes the files of unfinished downloads, except those in `keep`. Returns the bytes that were freed. */
  async removeIngests(keep: ReadonlySet<Digest>): Promise<number> {
    let freed = 0;
    for (const name of await readdir(this.#ingest)) {
      if (!/^[a-f0-9]{64}$/.test(name)) continue; // a new index.json, for example
      const digest = digestOfHex(name);
      if (keep.has(digest) || this.#puts.has(digest)) continue;
      freed += (await sizeOf(join(this.#ingest, name))) ?? 0;
      await rm(join(this.#ingest, name), { force: true });
    }
    return freed;
  }

  /** Removes the file of an unfinished download. The caller knows that nobody is writing it. */
  async removeIngest(digest: Digest): Promise<void> {
    await rm(this.ingestPathOf(digest), { force: true });
  }

  /** Names the layout's images for other tools. */
  writeIndex(images: readonly NamedManifest[]): Promise<void> {
    return this.#index.write(images);
  }
}
