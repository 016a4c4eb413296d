/** Layers that are far larger than they come: stopped at the limit, with nothing left, and without memory or descriptors lost. */

import { expect } from "bun:test";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createGzip } from "node:zlib";
import { mediaTypes } from "../../src/spec/oci-image.ts";
import { byteStringOfText } from "../../src/spec/tar-entry.ts";
import { encodeTarHeader, tarEnd } from "../../src/spec/tar-writer.ts";
import { kernelTest } from "../kernel/harness.ts";
import { Product } from "../product.ts";
import { digestOf, ScriptedRegistry } from "../registry/scripted-registry.ts";
import { tarOfFiles } from "./layer-tar.ts";

const needs = ["root", "product"] as const;
const limits = { ORLOP_LAYER_MAX_BYTES: "64m", ORLOP_LAYER_MAX_ENTRIES: "20000" };
/** The bombs' sizes: over what the whole engine takes, so that one that is held shows. */
const bombBytes = 2 ** 29;
const manyEntries = 100_000;

function header(path: string, size: number): Uint8Array {
  const none = byteStringOfText("");
  const names = { path: byteStringOfText(path), link: none, user: none, group: none };
  const common = { kind: "file", mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, major: 0, minor: 0, xattrs: [] } as const;
  return encodeTarHeader({ ...common, ...names, size });
}

function* zeros(sizeBytes: number): Generator<Uint8Array> {
  const piece = new Uint8Array(1 << 20);
  for (let left = sizeBytes; left > 0; left -= piece.length) yield piece.subarray(0, Math.min(left, piece.length));
}

function* largeFile(): Generator<Uint8Array> {
  yield header("large", bombBytes);
  yield* zeros(bombBytes);
  yield tarEnd;
}

function* manyFiles(): Generator<Uint8Array> {
  for (let i = 0; i < manyEntries; i += 1000)
    yield Buffer.concat(Array.from({ length: 1000 }, (_, n) => header(`d${i}/f${i + n}`, 0)));
  yield tarEnd;
}

/** Behind an archive that has ended. */
function* padding(): Generator<Uint8Array> {
  yield header("small", 0);
  yield tarEnd;
  yield* zeros(bombBytes);
}

/** Puts an image with this layer, gzip, into the registry. */
async function addBomb(registry: ScriptedRegistry, tag: string, tar: Iterable<Uint8Array>): Promise<void> {
  const hash = createHash("sha256");
  const gzip = createGzip({ level: 1 });
  const pieces: Buffer[] = [];
  const collected = (async () => {
    for await (const piece of gzip) pieces.push(piece as Buffer);
  })();
  for (const piece of tar) {
    hash.update(piece);
    if (!gzip.write(piece)) await new Promise((resolve) => gzip.once("drain", resolve));
  }
  gzip.end();
  await collected;
  const blob = Buffer.concat(pieces);
  const rootfs = { type: "layers", diff_ids: [`sha256:${hash.digest("hex")}`] };
  const config = Buffer.from(JSON.stringify({ os: "linux", architecture: "amd64", config: {}, rootfs }));
  const describe = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: describe(mediaTypes.ociConfig, config),
    layers: [describe("application/vnd.oci.image.layer.v1.tar+gzip", blob)],
  };
  for (const one of [blob, config]) registry.addBlob(one);
  registry.addManifest(document, mediaTypes.ociManifest, tag);
}

kernelTest(
  "bombs stop at the limit, and leave nothing",
  needs,
  async (scratch) => {
    await using registry = await ScriptedRegistry.open();
    const bombs = [
      ["large", largeFile(), 'the layer\'s entry "large" is refused: over 67108864 bytes'],
      ["many", manyFiles(), "is refused: over 20000 entries"],
      ["padding", padding(), "over"],
    ] as const;
    for (const [tag, tar] of bombs) await addBomb(registry, tag, tar);
    registry.addImage("good", [tarOfFiles({ a: "b" })]);
    const product = new Product(scratch.directory, { env: limits });
    scratch.defer(() => product.stop());
    const name = (tag: string): string => `${registry.host}/a:${tag}`;
    await product.ok("pull", "-q", name("good"));
    const pid = product.enginePid() as number;
    const status = (): string => readFileSync(`/proc/${pid}/status`, "utf8");
    const peakKb = (): number => Number(/VmHWM:\s+(\d+)/.exec(status())?.[1]);
    const descriptors = (): number => readdirSync(`/proc/${pid}/fd`).length;
    const attempt = async (): Promise<void> => {
      for (const [tag, , words] of bombs) {
        const { exitCode, stderr } = await product.run(["pull", "-q", name(tag)]);
        expect([tag, exitCode, stderr]).toEqual([tag, 1, expect.stringContaining(words)]);
      }
    };
    await attempt();
    const [peak, open] = [peakKb(), descriptors()];
    for (let round = 0; round < 2; round++) await attempt();
    expect(peakKb() - peak).toBeLessThan(40_000);
    expect(peakKb()).toBeLessThan(200_000);
    expect(descriptors()).toBeLessThanOrEqual(open);
    expect((await product.ok("images", "-q")).split("\n").length).toBe(2); // host is one
    expect(readdirSync(join(product.stateDir, "layers/new"))).toEqual([]);
    expect(readdirSync(join(product.stateDir, "layers")).filter((entry) => /^[0-9a-f]{64}$/.test(entry)).length).toBe(
      1,
    );
    await product.ok("image", "prune", "-f");
    expect(readdirSync(join(product.stateDir, "content/blobs/sha256")).length).toBe(3);
    expect(await product.ok("system", "check")).toContain(", 0 damaged");
  },
  120_000,
);

kernelTest("a limit that says nothing is refused by name", needs, async (scratch) => {
  await using registry = await ScriptedRegistry.open();
  registry.addImage("good", [tarOfFiles({ a: "b" })]);
  const product = new Product(scratch.directory, { env: { ORLOP_LAYER_MAX_ENTRIES: "many" } });
  scratch.defer(() => product.stop());
  const { exitCode, stderr } = await product.run(["pull", "-q", `${registry.host}/a:good`]);
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining('invalid ORLOP_LAYER_MAX_ENTRIES "many"')]);
});
