import { afterEach, beforeEach, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOfHex } from "../spec/digest.ts";
import { ContentStore } from "./content-store.ts";

const content = randomBytes(5_000_000);
const blob = { digest: digestOfHex(createHash("sha256").update(content).digest("hex")), size: content.length };
let root: string;
let store: ContentStore;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "orlop-ingest-"));
  store = await ContentStore.open(root);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function* piecesOf(bytes: Buffer, sizeBytes: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes);
}

test("what is told to be in the file is there, and all of it before the blob has its name", async () => {
  await using ingest = await store.openIngest(blob);
  let toldBytes = 0;
  ingest.onWritten = (bytes) => {
    expect(readFileSync(store.ingestPathOf(blob.digest)).equals(content.subarray(0, bytes))).toBe(true);
    toldBytes = bytes;
  };
  for (const piece of piecesOf(content, 300_000)) await ingest.write(piece);
  await ingest.commit();
  expect(toldBytes).toBe(blob.size);
  expect(readFileSync(store.pathOf(blob.digest)).equals(content)).toBe(true);
});

test("what came before a download was left is where the next one goes on", async () => {
  {
    await using ingest = await store.openIngest(blob);
    await ingest.write(content.subarray(0, 1_000_000));
    await ingest.write(content.subarray(1_000_000, 1_500_000));
  }
  await using next = await store.openIngest(blob);
  expect(next.offset).toBe(1_500_000);
  await next.write(content.subarray(1_500_000));
  await next.commit();
  expect(existsSync(store.pathOf(blob.digest))).toBe(true);
});

test("a file that cannot be written fails the download, and not only once", async () => {
  const ingest = await store.openIngest(blob);
  await ingest[Symbol.asyncDispose](); // its file is closed
  await ingest.write(content.subarray(0, 1000));
  await expect(ingest.flush()).rejects.toThrow();
  await expect(ingest.write(content.subarray(1000, 2000))).rejects.toThrow();
});

test("what was written holds no memory any more; what shares its memory with others is left to them", async () => {
  await using ingest = await store.openIngest(blob);
  const own = new Uint8Array(content.subarray(0, 1_000_000));
  const shared = content.subarray(1_000_000, 2_000_000);
  await ingest.write(own);
  await ingest.write(shared);
  await ingest.flush();
  expect([own.length, shared.length, content.length]).toEqual([0, 1_000_000, 5_000_000]);
});

test("a blob that is put stays its giver's", async () => {
  const own = Buffer.from(new Uint8Array(content.subarray(0, 1000)).buffer); // a whole buffer, of the kind whose slices share it
  const digest = await store.put(own);
  expect(own).toEqual(content.subarray(0, 1000));
  expect(readFileSync(store.pathOf(digest)).equals(own)).toBe(true);
});
