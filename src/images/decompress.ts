/** Decompresses a blob; the compression is detected from its content. */
import { pipeline, Readable, type Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { OrlopError } from "../base/errors.ts";

export type Method = "none" | "gzip" | "zstd";

/** As fast as any larger size (0.3 to 0.4 GB/s), and four times less memory between garbage collections than 1 MiB. */
const outputBytes = 256 * 1024;

const magics: readonly (readonly [name: Method | "xz" | "bzip2" | "lzip", bytes: readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b, 0x08]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["lzip", [0x4c, 0x5a, 0x49, 0x50]],
];

export const magicBytes = Math.max(...magics.map(([, bytes]) => bytes.length));

/** The compression of content that starts with these bytes. @throws {OrlopError} unsupported_compression, by name */
export function detectCompression(start: Uint8Array): Method {
  const found = magics.find(([, bytes]) => bytes.every((byte, i) => start[i] === byte))?.[0] ?? "none";
  if (found === "none" || found === "gzip" || found === "zstd") return found;
  throw OrlopError.of("unsupported_compression", { name: found });
}

/**
 * The decompressed pieces of a blob. (Bun 1.4.5 accepts a truncated zstd frame: the tar reader and the tar's digest notice.) Runs in the
 * thread pool: the event loop only sees finished pieces.
 *
 * @throws {OrlopError} bad_compression, unsupported_compression; the source's own errors
 */
export async function* decompress(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  const start = await beginning(iterator);
  if (start.length === 0) return;
  const rest = joined(start, iterator);
  const method = detectCompression(start);
  if (method === "none") {
    yield* rest;
    return;
  }
  const transform: Transform =
    method === "gzip" ? createGunzip({ chunkSize: outputBytes }) : createZstdDecompress({ chunkSize: outputBytes });
  let sourceError: unknown;
  const input = Readable.from(
    watched(rest, (error) => {
      sourceError = error;
    }),
    { objectMode: false },
  );
  pipeline(input, transform, () => undefined); // an error ends the loop below
  try {
    for await (const piece of transform) yield piece as Uint8Array;
  } catch (error) {
    throw sourceError ?? OrlopError.of("bad_compression", { method, reason: (error as Error).message }, error);
  } finally {
    input.destroy();
    transform.destroy();
  }
}

/** Reads until there are enough bytes to detect the compression. */
async function beginning(iterator: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let start: Uint8Array = new Uint8Array(0);
  while (start.length < magicBytes) {
    const next = await iterator.next();
    if (next.done === true) break;
    start = start.length === 0 ? next.value : Buffer.concat([start, next.value]);
  }
  return start;
}

async function* joined(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield first;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.(); // when the consumer stops early, this closes the source's file
  }
}

/** Remembers the source's error, which the pipeline would replace by its own. */
async function* watched(
  source: AsyncIterable<Uint8Array>,
  onError: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    onError(error);
    throw error;
  }
}
