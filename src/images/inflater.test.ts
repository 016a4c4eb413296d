/** Decompressing into given memory: every cut of input and room, several members, what is damaged. */
import { describe, expect, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { Method } from "./decompress.ts";
import { openInflater } from "./inflater.ts";

const text = Buffer.from(Array.from({ length: 20_000 }, (_, i) => `line ${i * 7919} of a layer\n`).join(""));

/** Everything that comes out when the input comes in such pieces, and there is room for so much. */
async function all(method: Method, bytes: Uint8Array, inputBytes: number, roomBytes: number): Promise<Buffer> {
  await using inflater = openInflater(method);
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += inputBytes) {
    let input = bytes.subarray(at, at + inputBytes);
    for (;;) {
      const room = Buffer.alloc(roomBytes);
      const { taken, made } = await inflater.inflate(input, room);
      out.push(room.subarray(0, made));
      input = input.subarray(taken);
      if (input.length === 0 && made < roomBytes) break;
    }
  }
  await inflater.end();
  return Buffer.concat(out);
}

describe("an inflater", () => {
  test.each<[Method, string, Buffer, Buffer]>([
    ["none", "plain bytes", text, text],
    ["gzip", "gzip", gzipSync(text), text],
    ["gzip", "two members", Buffer.concat([gzipSync(text), gzipSync("x")]), Buffer.concat([text, Buffer.from("x")])],
    ["gzip", "zeros behind the end", Buffer.concat([gzipSync(text), Buffer.alloc(512)]), text],
    ["zstd", "zstd", zstdCompressSync(text), text],
    [
      "zstd",
      "two frames",
      Buffer.concat([zstdCompressSync(text), zstdCompressSync(text)]),
      Buffer.concat([text, text]),
    ],
  ])("%s: %s, however it is cut", async (method, _, compressed, expected) => {
    for (const [inputBytes, roomBytes] of [
      [1 << 20, 1 << 20],
      [1000, 300],
      [77, 64 * 1024],
      [1 << 20, 100],
    ] as const)
      expect((await all(method, compressed, inputBytes, roomBytes)).equals(expected)).toBe(true);
  });

  test.each<[Method, string, Buffer]>([
    ["gzip", "cut", gzipSync(text).subarray(0, 500)],
    ["gzip", "damaged", Buffer.from(gzipSync(text)).fill(0xff, 100, 140)],
    ["gzip", "of another length than it says", Buffer.concat([gzipSync(text).subarray(0, -4), Buffer.alloc(4)])],
    ["gzip", "followed by something else", Buffer.concat([gzipSync(text), Buffer.from("\x1f rubbish")])],
    ["zstd", "damaged", Buffer.from(zstdCompressSync(text)).fill(0xff, 10, 40)],
  ])("%s that is %s is refused", async (method, _, compressed) => {
    await expect(all(method, compressed, 64 * 1024, 64 * 1024)).rejects.toThrow(`the ${method} data is damaged`);
  });

  test.each<[Method, Buffer]>([
    ["gzip", gzipSync(text)],
    ["zstd", zstdCompressSync(text)],
  ])("%s: one that is closed ends what is under way and begins nothing more", async (method, compressed) => {
    const inflater = openInflater(method);
    const room = Buffer.alloc(1000);
    const next = inflater.inflate(compressed, room).then(async ({ taken, made }) => {
      const more = inflater.inflate(compressed.subarray(taken), room);
      await expect(more).rejects.toThrow("a closed inflater was given more");
      return made;
    });
    await inflater[Symbol.asyncDispose]();
    expect(await next).toBeGreaterThan(0);
  });
});
