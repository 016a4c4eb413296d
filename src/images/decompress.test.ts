/** Compression is seen from the content; what is damaged or unknown is said by name. */
import { describe, expect, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { decompress } from "./decompress.ts";

const text = Buffer.from("a layer's bytes ".repeat(50_000));

async function* pieces(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const out: Uint8Array[] = [];
  for await (const piece of decompress(source)) out.push(Buffer.from(piece));
  return Buffer.concat(out);
}

describe("decompression", () => {
  test.each([
    ["nothing", Buffer.alloc(0), Buffer.alloc(0)],
    ["plain bytes", text, text],
    ["gzip", gzipSync(text), text],
    ["two gzip members", Buffer.concat([gzipSync(text), gzipSync(text)]), Buffer.concat([text, text])],
    ["zstd", zstdCompressSync(text), text],
    ["less than any mark of a format", Buffer.from("abc"), Buffer.from("abc")],
  ])("of %s", async (_, compressed, expected) => {
    expect((await all(pieces(compressed))).equals(expected)).toBe(true);
  });

  test("sees what it is when one byte comes at a time", async () => {
    const out: Uint8Array[] = [];
    for await (const piece of decompress(pieces(gzipSync("abc"), 1))) out.push(piece);
    expect(Buffer.concat(out).toString()).toBe("abc");
  });

  test.each([
    ["xz", Buffer.from("fd377a585a000004", "hex"), "xz compression is not supported: compress it with gzip or zstd"],
    ["bzip2", Buffer.from("425a6839", "hex"), "bzip2 compression is not supported"],
    ["cut gzip", gzipSync(text).subarray(0, 500), "the gzip data is damaged"],
    ["damaged zstd", zstdCompressSync(text).fill(0xff, 10, 40), "the zstd data is damaged"],
    [
      "gzip of another length than it says",
      Buffer.concat([gzipSync(text).subarray(0, -4), Buffer.alloc(4)]),
      "damaged",
    ],
  ])("of %s is refused", async (_, compressed, words) => {
    await expect(all(pieces(compressed))).rejects.toThrow(words);
  });

  test("a source that fails is heard in its own words", async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield gzipSync(text).subarray(0, 100);
      throw new Error("the disk is gone");
    }
    await expect(all(failing())).rejects.toThrow("the disk is gone");
  });

  test("a reader that leaves early leaves nothing running", async () => {
    const source = { ended: false };
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield gzipSync(text);
      } finally {
        source.ended = true;
      }
    }
    for await (const piece of decompress(endless())) if (piece.length > 0) break;
    while (!source.ended) await new Promise<void>((resolve) => setImmediate(() => resolve()));
    expect(source.ended).toBe(true);
  });
});
