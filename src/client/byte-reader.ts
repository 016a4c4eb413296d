/** Reads a `ByteStream` by lines and counts, keeping what came too early. */
import { OrlopError } from "../base/errors.ts";
import type { ByteStream } from "./byte-stream.ts";

const newline = 10;
const decoder = new TextDecoder();

export class ByteReader {
  readonly #stream: ByteStream;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /** The next bytes, as many as there are; undefined at the end. */
  async some(): Promise<Uint8Array | undefined> {
    if (this.#rest.length === 0) return this.#stream.read();
    const bytes = this.#rest;
    this.#rest = new Uint8Array(0);
    return bytes;
  }

  /** The next bytes, at most `limit`; undefined at the end. */
  async atMost(limit: number): Promise<Uint8Array | undefined> {
    const bytes = await this.some();
    if (bytes === undefined || bytes.length <= limit) return bytes;
    this.#rest = bytes.subarray(limit);
    return bytes.subarray(0, limit);
  }

  /** A line without its end (`\n` or `\r\n`); undefined at the end of the stream.
   *  @throws {OrlopError} engine_broke_off, when the line is longer than `limitBytes` or the stream ends inside it */
  async line(limitBytes: number): Promise<string | undefined> {
    let searched = 0;
    for (;;) {
      const at = this.#rest.indexOf(newline, searched);
      if (at >= 0) {
        const end = at > 0 && this.#rest[at - 1] === 13 ? at - 1 : at;
        const line = decoder.decode(this.#rest.subarray(0, end));
        this.#rest = this.#rest.subarray(at + 1);
        return line;
      }
      searched = this.#rest.length;
      if (searched > limitBytes)
        throw OrlopError.of("engine_broke_off", { reason: `a line of its answer is over ${limitBytes} bytes` });
      const more = await this.#stream.read();
      if (more === undefined) {
        if (searched === 0) return undefined;
        throw OrlopError.of("engine_broke_off", { reason: "its answer ended in the middle of a line" });
      }
      this.#rest = joined(this.#rest, more);
    }
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
