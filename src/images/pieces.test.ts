import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { Pieces } from "./pieces.ts";

const sizeBytes = 1_000_000;

test.each([1000, 65_536, 262_144, 700_000])(
  "a file that comes %i bytes at a time is the same in fewer pieces",
  async (chunkBytes) => {
    const content = randomBytes(sizeBytes);
    const pieces = new Pieces(sizeBytes);
    const got: Buffer[] = [];
    const reading = (async () => {
      for await (const piece of pieces) got.push(Buffer.from(piece));
    })();
    for (let at = 0; at < sizeBytes; at += chunkBytes) {
      pieces.push(content.subarray(at, at + chunkBytes));
      await pieces.drained();
    }
    pieces.end();
    await reading;
    expect(Buffer.concat(got).equals(content)).toBe(true);
    expect(got.length).toBe(Math.ceil(sizeBytes / (256 * 1024)));
  },
);

test("what the writer still holds is not written over", async () => {
  const content = randomBytes(sizeBytes);
  const pieces = new Pieces(sizeBytes);
  const got: Buffer[] = [];
  let at = 0;
  const more = (sizeBytes: number): void => {
    pieces.push(content.subarray(at, at + sizeBytes));
    at += sizeBytes;
    if (at >= content.length) pieces.end();
  };
  more(300_000);
  for await (const piece of pieces) {
    more(300_000);
    got.push(Buffer.from(piece));
  }
  expect(Buffer.concat(got).equals(content)).toBe(true);
});
