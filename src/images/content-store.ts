/**
 * Blobs on disk: an OCI image layout (image-layout.md), which skopeo and others can read.
 *
 *     oci-layout  index.json  blobs/sha256/HEX     the layout
 *     ingest/HEX                                   blobs on their way; never read by others
 *     ingest/stream-N                              the same, while their digest is not known
 *
 * A blob under its final name is whole and verified: its bytes were hashed while they came, and synced before the rename.
 * So existence is proof, after a power loss too. The name itself is on the disk when `sync` has settled: before anything is
 * written down that leans on it. What lies in `ingest` proves nothing: it is hashed again when it goes on.
 */
import { createHash, type Hash } from "node:crypto";
import { constants, existsSync, renameSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { OrlopError } from "../base/errors.ts";
import { point } from "../base/point.ts";
import { type Digest, digestOfHex, hexOf } from "../spec/digest.ts";
import type { Descriptor } from "../spec/oci-image.ts";
import { SyncedDirectory, syncDirectory } from "../store/synced-directory.ts";
import { Ingest } from "./ingest.ts";
import { type OpenPlan, Writeback } from "./writeback.ts";

const readPieceBytes = 1 << 20;
/** Of files in `ingest` whose digest is not known yet: nobody can go on with them. */
const streamPrefix = "stream-";

export interface StoredBlob {
  readonly digest: Digest;
  readonly size: number;
}

export class ContentStore {
  readonly root: string;
  readonly #blobs: SyncedDirectory;
  readonly #ingest: string;
  readonly #openPlan: OpenPlan | undefined;
  #streams = 0;
  readonly #puts = new Map<Digest, Promise<void>>();
  /** index.json as it is. */
  #index = "";

  private constructor(root: string, openPlan: OpenPlan | undefined) {
    this.root = root;
    this.#openPlan = openPlan;
    this.#blobs = new SyncedDirectory(join(root, "blobs", "sha256"));
    this.#ingest = join(root, "ingest");
  }

  /** Opens the layout in this directory, and makes it when there is none. openPlan: see Writeback. */
  static async open(root: string, openPlan?: OpenPlan): Promise<ContentStore> {
    const store = new ContentStore(root, openPlan);
    await mkdir(store.#blobs.path, { recursive: true, mode: 0o700 });
    await mkdir(store.#ingest, { recursive: true, mode: 0o700 });
    for (const name of await readdir(store.#ingest))
      if (name.startsWith(streamPrefix)) await rm(join(store.#ingest, name), { force: true });
    for (const name of await readdir(store.#ingest))
      if (name.endsWith(".gone")) await rm(join(store.#ingest, name), { force: true });
    if ((await sizeOf(join(root, "index.json"))) === undefined) {
      await store.#replace("oci-layout", '{"imageLayoutVersion":"1.0.0"}');
      await store.writeIndex([]);
    }
    store.#index = await readFile(join(root, "index.json"), "utf8");
    return store;
  }

  /** Settles when every blob that is here by now stays, whatever happens. */
  sync(): Promise<void> {
    return this.#blobs.sync();
  }

  /** Where a blob is, once it is there. */
  pathOf(digest: Digest): string {
    return join(this.#blobs.path, hexOf(digest));
  }

  /** Where a blob is while it comes. */
  ingestPathOf(digest: Digest): string {
    return join(this.#ingest, hexOf(digest));
  }

  /** Whether a blob is here, without a wait. */
  hasNow(digest: Digest): boolean {
    return existsSync(this.pathOf(digest));
  }

  /** A blob's size, or undefined when it is not (wholly) here. */
  sizeOf(digest: Digest): Promise<number | undefined> {
    return sizeOf(this.pathOf(digest));
  }

  /** A small blob, hashed again. @throws {OrlopError} blob_unknown, digest_mismatch, size_mismatch */
  read(digest: Digest, limitBytes: number): Promise<Uint8Array> {
    return this.#read(this.pathOf(digest), digest, limitBytes);
  }

  /** The same, of one whose last byte has come, though the disk may not have it yet. */
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

  /** Stores a small blob that is in memory; its digest. One that is there is left alone. */
  async put(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOfHex(createHash("sha256").update(bytes).digest("hex"));
    // two writers of one file would be one too many
    const writing = this.#puts.get(digest) ?? this.#write(digest, bytes).finally(() => this.#puts.delete(digest));
    this.#puts.set(digest, writing);
    await writing;
    return digest;
  }

  async #write(digest: Digest, bytes: Uint8Array): Promise<void> {
    if ((await this.sizeOf(digest)) !== undefined) return;
    await using ingest = await this.openIngest({ digest, size: bytes.length });
    if (ingest.offset > 0) await ingest.restart();
    await ingest.write(new Uint8Array(bytes)); // a copy: what it is given it keeps
    await ingest.commit();
  }

  /**
   * Stores a blob whose digest is known when its last byte has come.
   *
   * @param hold called before the blob has its name: a lease that keeps it
   * @param onWritten where it is meanwhile, and how much of it is there
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

  /** Goes on with a blob, or begins it. At most one at a time for a digest: the caller sees to that. */
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

  /** Every blob that is here. */
  async list(): Promise<{ readonly digest: Digest; readonly size: number }[]> {
    const names = await readdir(this.#blobs.path);
    const found = await Promise.all(
      names
        .filter((name) => /^[a-f0-9]{64}$/.test(name))
        .map(async (name) => ({ digest: digestOfHex(name), size: await sizeOf(join(this.#blobs.path, name)) })),
    );
    return found.flatMap(({ digest, size }) => (size === undefined ? [] : [{ digest, size }]));
  }

  /** Whether a blob still is what its name says. */
  async verify(digest: Digest): Promise<boolean> {
    await using file = await open(this.pathOf(digest), "r");
    const { hash } = await hashFile(file, Number.POSITIVE_INFINITY);
    return digestOfHex(hash.digest("hex")) === digest;
  }

  /**
   * Removes a blob; one that is missing is fine. It is out of sight before this returns: who looks for a blob after taking a
   * lease finds it whole or not at all.
   */
  async remove(digest: Digest): Promise<void> {
    const gone = join(this.#ingest, `${hexOf(digest)}.gone`);
    try {
      renameSync(this.pathOf(digest), gone);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    await rm(gone, { force: true });
  }

  /** Removes what unfinished downloads left, but for those in `keep`. Bytes that came free. */
  async removeIngests(keep: ReadonlySet<Digest>): Promise<number> {
    let freed = 0;
    for (const name of await readdir(this.#ingest)) {
      if (!/^[a-f0-9]{64}$/.test(name)) continue; // index.json on its way to its place
      const digest = digestOfHex(name);
      if (keep.has(digest) || this.#puts.has(digest)) continue;
      freed += (await sizeOf(join(this.#ingest, name))) ?? 0;
      await rm(join(this.#ingest, name), { force: true });
    }
    return freed;
  }

  /** Removes what came of a blob that is not whole. The caller knows that nobody is at it. */
  async removeIngest(digest: Digest): Promise<void> {
    await rm(this.ingestPathOf(digest), { force: true });
  }

  /** Names the layout's images for other tools: written whole, replaced at once. */
  async writeIndex(images: readonly (Descriptor & { readonly name?: string })[]): Promise<void> {
    const manifests = images.map(({ name, platform, mediaType, digest, size }) => ({
      mediaType,
      digest,
      size,
      ...(platform === undefined ? {} : { platform }),
      ...(name === undefined ? {} : { annotations: { "org.opencontainers.image.ref.name": name } }),
    }));
    const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests };
    const text = JSON.stringify(index);
    if (text === this.#index) return;
    await this.#replace("index.json", text);
    this.#index = text;
  }

  async #replace(name: string, text: string): Promise<void> {
    const temporary = join(this.#ingest, `${name}.new`);
    await writeFile(temporary, text, { flush: true });
    point("layout.written");
    await rename(temporary, join(this.root, name));
    await syncDirectory(this.root);
  }
}

/** Hashes a file from its start; one that is longer than it may be is emptied. Leaves no position behind. */
async function hashFile(file: FileHandle, limitBytes: number): Promise<{ hash: Hash; size: number }> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(readPieceBytes);
  let size = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, size);
    if (bytesRead === 0) return { hash, size };
    hash.update(buffer.subarray(0, bytesRead));
    size += bytesRead;
    if (size <= limitBytes) continue;
    await file.truncate(0);
    return { hash: createHash("sha256"), size: 0 };
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
