/** A blob as a layer is read from it: whole, or still growing while it comes. */
import { closeSync, openSync, readSync } from "node:fs";
import { OrlopError } from "../base/errors.ts";

export interface LayerSource {
  /** Fills the buffer with what follows, as far as it goes; 0 at the blob's end. */
  read(into: Uint8Array): number | Promise<number>;
}

/** A file that gets longer until it has its size. What is there stays as it is. */
export class GrowingFile implements LayerSource, Disposable {
  readonly #fd: number;
  readonly #sizeBytes: number;
  #available: number;
  #position = 0;
  #isClosed = false;
  #wake: PromiseWithResolvers<void> | undefined;
  #stopped: Error | undefined;

  /** @param paths where it may be: it is renamed when it is whole. */
  constructor(paths: readonly string[], sizeBytes: number, availableBytes: number) {
    this.#fd = openFirst(paths);
    this.#sizeBytes = sizeBytes;
    this.#available = availableBytes;
  }

  get bytesRead(): number {
    return this.#position;
  }

  /** So much of it is there now. */
  grow(availableBytes: number): void {
    this.#available = availableBytes;
    this.#wake?.resolve();
  }

  /** Whoever waits for more, or will, is told that nothing comes. */
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
