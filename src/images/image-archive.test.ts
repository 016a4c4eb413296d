/** An archive is read on while the disk is behind; what fails there is the archive's failure. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { digestOfHex } from "../spec/digest.ts";
import { byteStringOfText, plainEntry } from "../spec/tar-entry.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../spec/tar-writer.ts";
import type { ContentStore } from "./content-store.ts";
import { ImageArchive } from "./image-archive.ts";
import { Leases } from "./leases.ts";

/** Each file in a piece of its own, so that there is a turn between them. */
async function* archiveOf(count: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) {
    const content = Buffer.from(`content ${i}`);
    const header = encodeTarHeader({ ...plainEntry, path: byteStringOfText(`layer${i}.tar`), size: content.length });
    yield Buffer.concat([header, content, tarPadding(content.length)]);
  }
  yield tarEnd;
}

/** @param synced settles when the disk has a blob */
function read(count: number, synced: (nth: number) => Promise<void>): Promise<ImageArchive> {
  let begun = 0;
  const add = async (source: AsyncIterable<Uint8Array>): Promise<object> => {
    const hash = createHash("sha256");
    for await (const piece of source) hash.update(piece);
    await synced(++begun);
    return { digest: digestOfHex(hash.digest("hex")), size: 9 };
  };
  const content = { add } as unknown as ContentStore;
  return ImageArchive.read(archiveOf(count), { content, lease: new Leases().open() });
}

describe("files of an archive", () => {
  test("the next comes before the disk has the last", async () => {
    const third = Promise.withResolvers<void>();
    const archive = await read(3, (nth) => {
      if (nth === 3) third.resolve();
      return third.promise;
    });
    expect(archive.blob("layer0.tar")?.size).toBe(9);
    expect(archive.blob("layer2.tar")?.size).toBe(9);
  });

  test("but not many do", async () => {
    const gate = Promise.withResolvers<void>();
    let most = 0;
    const reading = read(20, (nth) => {
      most = nth;
      return gate.promise;
    });
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThan(8);
    gate.resolve();
    await reading;
    expect(most).toBe(20);
  });

  test("what the disk refuses is told, whichever it was", async () => {
    for (const bad of [1, 3])
      expect(
        await read(3, async (nth) => {
          if (nth === bad) throw new Error("no space left");
        }).catch((error) => error.message),
      ).toBe("no space left");
  });
});
