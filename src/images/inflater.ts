/**
 * Decompresses into memory that the caller has: no thread pool, no fresh buffers. A layer is a gigabyte, and a stream's pieces
 * of it are 30 % of what decompressing costs (docs/benchmarks-images.md).
 *
 * `_handle` and `_writeState` are what node:zlib itself stands on, in Node and in Bun; packages have used them for a decade.
 */
import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import { OrlopError } from "../base/errors.ts";
import type { Method } from "./decompress.ts";

/** How many bytes of the input were taken, and how many came out. */
export interface Inflated {
  readonly taken: number;
  readonly made: number;
}

export interface Inflater extends Disposable {
  /** Takes input and fills `output`; less than all of the room: it needs more input. @throws {OrlopError} bad_compression */
  inflate(input: Uint8Array, output: Uint8Array): Inflated;
  /** There is no more input. @throws {OrlopError} bad_compression, when more should have come */
  end(): void;
}

export function openInflater(method: Method): Inflater {
  return method === "none" ? new Copier() : new ZlibInflater(method);
}

class Copier implements Inflater {
  inflate(input: Uint8Array, output: Uint8Array): Inflated {
    const size = Math.min(input.length, output.length);
    output.set(size === input.length ? input : input.subarray(0, size));
    return { taken: size, made: size };
  }

  end(): void {
    // any end is one
  }

  [Symbol.dispose](): void {
    // nothing is held
  }
}

interface ZlibHandle {
  onerror: (message: string, errno: number, code: string) => void;
  writeSync(
    flush: number,
    ...places: [input: Uint8Array, at: number, size: number, output: Uint8Array, at: number, size: number]
  ): void;
  close(): void;
}

interface ZlibStream {
  readonly _handle: ZlibHandle;
  /** After each write: bytes of the output that are free, bytes of the input that are left. */
  readonly _writeState: Uint32Array;
}

class ZlibInflater implements Inflater {
  readonly #method: Method;
  readonly #stream: ZlibStream;
  #fault: string | undefined;
  /** Something is left that was not taken though there was room: what stands behind the data's end is not ours. */
  #isOver = false;

  constructor(method: "gzip" | "zstd") {
    this.#method = method;
    this.#stream = (method === "gzip" ? createGunzip() : createZstdDecompress()) as unknown as ZlibStream;
    this.#stream._handle.onerror = (message) => {
      this.#fault = message;
    };
  }

  inflate(input: Uint8Array, output: Uint8Array): Inflated {
    if (this.#isOver) return { taken: input.length, made: 0 };
    this.#write(constants.Z_NO_FLUSH, input, output);
    const [free = 0, left = 0] = this.#stream._writeState;
    this.#isOver = left > 0 && free > 0;
    return { taken: this.#isOver ? input.length : input.length - left, made: output.length - free };
  }

  end(): void {
    if (this.#isOver) return;
    const last = this.#method === "gzip" ? constants.Z_FINISH : constants.ZSTD_e_end;
    this.#write(last, new Uint8Array(0), new Uint8Array(1));
  }

  #write(flush: number, input: Uint8Array, output: Uint8Array): void {
    this.#stream._handle.writeSync(flush, input, 0, input.length, output, 0, output.length);
    if (this.#fault !== undefined)
      throw OrlopError.of("bad_compression", { method: this.#method, reason: this.#fault });
  }

  [Symbol.dispose](): void {
    this.#stream._handle.close();
  }
}
