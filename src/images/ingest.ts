/** A blob on its way into the content store. */
import { createHash, type Hash } from "node:crypto";
import { type FileHandle, rename, rm } from "node:fs/promises";
import { OrlopError } from "../base/errors.ts";
import { point, seeded } from "../base/point.ts";
import { type Digest, digestOfHex } from "../spec/digest.ts";
import type { SyncedDirectory } from "../store/synced-directory.ts";
import { type OpenPlan, Writeback } from "./writeback.ts";

/** What came and is not in the file yet. */
const unwrittenMax = 1 << 20;

export interface IngestState {
  readonly blob: { readonly digest: Digest; readonly size: number };
  readonly path: string;
  readonly target: string;
  readonly folder: SyncedDirectory;
  readonly file: FileHandle;
  readonly hash: Hash;
  readonly offset: number;
  readonly openPlan: OpenPlan | undefined;
}

/** What was written stays when it is closed without `commit`: a later one goes on. */
export class Ingest implements AsyncDisposable {
  readonly #state: IngestState;
  readonly #writeback: Writeback;
  #hash: Hash;
  #offset: number;
  #written: number;
  #waiting: Uint8Array[] = [];
  #writing: Promise<void> | undefined;
  #fault: unknown;
  /** So many bytes are in the file. */
  onWritten: (writtenBytes: number) => void = () => undefined;

  constructor(state: IngestState) {
    this.#state = state;
    this.#writeback = new Writeback(state.path, state.openPlan);
    this.#hash = state.hash;
    this.#offset = this.#written = state.offset;
  }

  /** Bytes that came: the next ones belong here. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Adds bytes, which are its own from then on: a buffer that is filled by them alone is empty once they are written. They are written while the next ones come: on a busy machine the way to the
   * thread that writes and back takes longer than the writing. Settles when not too many wait.
   *
   * @throws {OrlopError} size_mismatch, at the first byte too many
   */
  async write(bytes: Uint8Array): Promise<void> {
    const { blob } = this.#state;
    if (this.#fault !== undefined) throw this.#fault;
    if (this.#offset + bytes.length > blob.size)
      throw OrlopError.of("size_mismatch", { what: `blob ${blob.digest}`, expected: blob.size, actual: "more" });
    this.#hash.update(bytes);
    this.#waiting.push(bytes);
    this.#offset += bytes.length;
    this.#writing ??= this.#writeAll();
    if (this.#offset - this.#written > unwrittenMax) await this.flush();
  }

  /** All that came is in the file. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#fault !== undefined) throw this.#fault;
  }

  /** What waits, and what comes while that is written. */
  async #writeAll(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const written = this.#waiting.splice(0);
        for (let pieces: readonly Uint8Array[] = written; pieces.length > 0; ) {
          const { bytesWritten } = await this.#state.file.writev(pieces, this.#written);
          this.#written += bytesWritten;
          pieces = rest(pieces, bytesWritten);
        }
        for (const piece of written) release(piece);
        this.#writeback.written(this.#written);
        this.onWritten(this.#written);
      }
    } catch (error) {
      this.#fault ??= error; // heard by the next write, or by `flush`
    } finally {
      this.#writing = undefined;
    }
  }

  /** Forgets what is there. */
  async restart(): Promise<void> {
    await this.flush();
    await this.#state.file.truncate(0);
    this.#hash = createHash("sha256");
    this.#offset = this.#written = 0;
  }

  /** Verifies, syncs its bytes, and gives the blob its name. A wrong one is thrown away. @throws {OrlopError} size_mismatch, digest_mismatch */
  async commit(): Promise<void> {
    const { blob, file, path, target, folder } = this.#state;
    const what = `blob ${blob.digest}`;
    if (this.#offset !== blob.size)
      throw OrlopError.of("size_mismatch", { what, expected: blob.size, actual: `${this.#offset}` });
    await this.flush();
    const actual = digestOfHex(this.#hash.digest("hex"));
    if (actual !== blob.digest && !seeded("registry.digest")) {
      await rm(path, { force: true });
      throw OrlopError.of("digest_mismatch", { what, expected: blob.digest, actual });
    }
    point("blob.received");
    await this.#writeback.sync(file);
    point("blob.synced");
    await rename(path, target);
    point("blob.renamed");
    folder.changed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing; // what came stays for the next attempt
    await this.#writeback[Symbol.asyncDispose]();
    await this.#state.file.close();
  }
}

/** Its memory is free at once, not when the collector comes by, which takes tens of megabytes of a download. */
function release({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/** What is left of the pieces behind so many bytes. */
function rest(pieces: readonly Uint8Array[], sizeBytes: number): Uint8Array[] {
  let skip = sizeBytes;
  return pieces.flatMap((piece) => {
    const taken = Math.min(skip, piece.length);
    skip -= taken;
    return taken === piece.length ? [] : [piece.subarray(taken)];
  });
}
