/** The source of a layer's bytes: a complete blob, or a file that grows while the blob arrives. */
import { closeSync, openSync, readSync } from "node:fs";
import { OrlopError } from "../base/errors.ts";

export interface LayerSource {
  /** Reads into the buffer, perhaps less than its size; 0 at the blob's end. */
  read(into: Uint8Array): number | Promise<number>;
}

/** A file that grows up to its size. Bytes that are there do not change. */
export class GrowingFile implements LayerSource, Disposable {
  readonly #fd: number;
  readonly #sizeBytes: number;
  #available: number;
  #position = 0;
  #isClosed = false;
  #wake: PromiseWithResolvers<void> | undefined;
  #stopped: Error | undefined;

  /** @param paths its possible paths: it is renamed when it is complete. */
  constructor(paths: readonly string[], sizeBytes: number, availableBytes: number) {
    this.#fd = openFirst(paths);
    this.#sizeBytes = sizeBytes;
    this.#available = availableBytes;
  }

  get bytesRead(): number {
    return this.#position;
  }

  /** Sets how many bytes are there now. */
  grow(availableBytes: number): void {
    this.#available = availableBytes;
    this.#wake?.resolve();
  }

  /** Nothing more will come: present and future readers fail. */
  stop(reason: Error): void {
    this.#stopped = reason;
    this.#wake?.reject(reason);
  }

  read(into: Uint8Array): number | Promise<number> {
    if (this.#stopped !== undefined) throw this.#stopped;
    if (this.#position === this.#sizeBytes) return 0;
    const size = Math.min(into.length, this.#available - this.#position);
    if (size <= 0) return this.#wait(into);
    const got = readSync(this.#fd, into, 0, size, this.#position);
    if (got === 0) throw OrlopError.of("internal", { reason: "a blob is shorter than it was" });
    this.#position += got;
    return got;
  }

  async #wait(into: Uint8Array): Promise<number> {
    this.#wake = Promise.withResolvers();
    await this.#wake.promise;
    return this.read(into);
  }

  [Symbol.dispose](): void {
    if (!this.#isClosed) closeSync(this.#fd);
    this.#isClosed = true;
  }
}

function openFirst([path, ...others]: readonly string[]): number {
  try {
    return openSync(path as string, "r");
  } catch (error) {
    if (others.length === 0 || (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return openFirst(others);
  }
}
