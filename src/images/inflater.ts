/**
 * Decompresses into the caller's memory, in the thread pool: without new buffers, and while the caller works on the piece before. For a
 * layer of a gigabyte, a stream's buffers are 30 % of the cost of decompressing (docs/benchmarks-images.md).
 *
 * It uses the handle on which node:zlib itself is built, in Node and in Bun, taken from a stream, because there is no other access.
 */
import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import { OrlopError } from "../base/errors.ts";
import type { Method } from "./decompress.ts";

/** Bytes of input that were consumed, and of output that were produced. */
export interface Inflated {
  readonly taken: number;
  readonly made: number;
}

/** One call at a time; neither buffer may be used before it has settled. */
export interface Inflater extends AsyncDisposable {
  /** Consumes input and fills `output`; when that is not full, it needs more input. @throws {OrlopError} bad_compression */
  inflate(input: Uint8Array, output: Uint8Array): Promise<Inflated>;
  /** There is no more input. @throws {OrlopError} bad_compression when the data is truncated */
  end(): Promise<void>;
}

export function openInflater(method: Method): Inflater {
  return method === "none" ? new Copier() : new ZlibInflater(method);
}

class Copier implements Inflater {
  async inflate(input: Uint8Array, output: Uint8Array): Promise<Inflated> {
    const size = Math.min(input.length, output.length);
    output.set(size === input.length ? input : input.subarray(0, size));
    return { taken: size, made: size };
  }

  async end(): Promise<void> {
    // uncompressed data may end anywhere
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // it holds nothing
  }
}

interface ZlibHandle {
  onerror: (message: string, errno: number, code: string) => void;
  init(...settings: unknown[]): void;
  write(
    flush: number,
    ...places: [input: Uint8Array, at: number, size: number, output: Uint8Array, at: number, size: number]
  ): void;
  close(): void;
}

/** @param settle called after each write, but not after one that failed */
function openHandle(method: "gzip" | "zstd", state: Uint32Array, settle: () => void): ZlibHandle {
  const stream = method === "gzip" ? createGunzip() : createZstdDecompress();
  const { _handle: known } = stream as unknown as { readonly _handle: ZlibHandle };
  const Handle = known.constructor as new (mode: number) => ZlibHandle;
  known.close();
  const handle = new Handle(method === "gzip" ? constants.GUNZIP : constants.ZSTD_DECOMPRESS);
  if (method === "gzip")
    handle.init(constants.Z_DEFAULT_WINDOWBITS, 0, constants.Z_DEFAULT_MEMLEVEL, 0, state, settle, undefined);
  else handle.init(new Uint32Array(constants.ZSTD_d_windowLogMax + 1).fill(-1), undefined, state, settle);
  return handle;
}

class ZlibInflater implements Inflater {
  readonly #method: "gzip" | "zstd";
  readonly #handle: ZlibHandle;
  /** After each write: free bytes of the output, unconsumed bytes of the input. */
  readonly #state = new Uint32Array(2);
  #writing: PromiseWithResolvers<void> | undefined;
  #fault: string | undefined;
  #isClosed = false;
  /** Input is left though there was room: bytes after the end of the compressed data, which are ignored. */
  #isOver = false;

  constructor(method: "gzip" | "zstd") {
    this.#method = method;
    this.#handle = openHandle(method, this.#state, () => this.#writing?.resolve());
    this.#handle.onerror = (message) => {
      this.#fault = message;
      this.#writing?.resolve();
    };
  }

  async inflate(input: Uint8Array, output: Uint8Array): Promise<Inflated> {
    if (this.#isOver) return { taken: input.length, made: 0 };
    await this.#write(constants.Z_NO_FLUSH, input, output);
    const [free = 0, left = 0] = this.#state;
    this.#isOver = left > 0 && free > 0;
    return { taken: this.#isOver ? input.length : input.length - left, made: output.length - free };
  }

  async end(): Promise<void> {
    if (this.#isOver) return;
    const last = this.#method === "gzip" ? constants.Z_FINISH : constants.ZSTD_e_end;
    await this.#write(last, new Uint8Array(0), new Uint8Array(1));
  }

  async #write(flush: number, input: Uint8Array, output: Uint8Array): Promise<void> {
    if (this.#isClosed) throw new Error("a closed inflater was given more");
    this.#writing = Promise.withResolvers();
    this.#handle.write(flush, input, 0, input.length, output, 0, output.length);
    await this.#writing.promise;
    this.#writing = undefined;
    if (this.#fault !== undefined)
      throw OrlopError.of("bad_compression", { method: this.#method, reason: this.#fault });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true; // the waiting caller could begin another write, and a thread that ends then would free memory that the pool uses
    await this.#writing?.promise;
    this.#handle.close();
  }
}
