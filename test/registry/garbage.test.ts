/** Garbage collection: what images need stays, everything else goes, at any time. */
import { expect, test } from "bun:test";
import { collectGarbage } from "../../src/images/garbage.ts";
import type { Digest } from "../../src/spec/digest.ts";
import { mediaTypes } from "../../src/spec/oci-image.ts";
import { Puller, randomBytes } from "./pulling.ts";
import { ScriptedRegistry } from "./scripted-registry.ts";

async function setUp() {
  const registry = await ScriptedRegistry.open();
  const shared = randomBytes(5000, 1);
  const one = registry.addImage("1", [shared, randomBytes(1000, 2)]);
  const two = registry.addImage("2", [shared, randomBytes(2000, 3)]);
  const puller = await Puller.open({ config: { [registry.host]: { "plain-http": true } } });
  const collect = (roots: readonly Digest[]) =>
    collectGarbage({
      store: puller.store,
      roots,
      leases: puller.leases,
      underWay: puller.fetcher.underWay,
    });
  const blobs = async (): Promise<Set<string>> => new Set((await puller.store.list()).map(({ digest }) => digest));
  return { registry, puller, one, two, collect, blobs };
}

test("an image's own blobs go with it, those that it shares stay", async () => {
  const { registry, puller, one, two, collect, blobs } = await setUp();
  await using _ = registry;
  await using __ = puller;
  await puller.pull(`${registry.host}/a:1`);
  await puller.pull(`${registry.host}/a:2`);
  expect((await collect([one.manifest, two.manifest])).removed).toEqual([]);
  const { removed, freedBytes } = await collect([one.manifest]);
  expect(new Set<string>(removed)).toEqual(new Set<string>([two.manifest, two.config, two.layers[1] as Digest]));
  expect(freedBytes).toBeGreaterThan(2000);
  expect(await blobs()).toEqual(new Set<string>([one.manifest, one.config, ...one.layers]));
  expect((await puller.pull(`${registry.host}/a:1`)).manifest.digest).toBe(one.manifest);
  await collect([]);
  expect((await blobs()).size).toBe(0);
});

test("an index keeps the platforms that were pulled, and does not mind the others", async () => {
  const { registry, puller, one, two, collect, blobs } = await setUp();
  await using _ = registry;
  await using __ = puller;
  const entry = (digest: Digest, architecture: string) => ({
    mediaType: mediaTypes.ociManifest,
    digest,
    size: 1,
    platform: { os: "linux", architecture },
  });
  const manifests = [entry(one.manifest, "amd64"), entry(two.manifest, "arm64")];
  const index = registry.addManifest(
    { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
    mediaTypes.ociIndex,
    "i",
  );
  await puller.pull(`${registry.host}/a:i`);
  expect((await collect([index])).removed).toEqual([]);
  expect(await blobs()).toEqual(new Set<string>([index, one.manifest, one.config, ...one.layers]));
});

test("what a pull under way has found is not taken from it, and neither is half a download", async () => {
  const { registry, puller, one, collect, blobs } = await setUp();
  await using _ = registry;
  await using __ = puller;
  const gate = Promise.withResolvers<void>();
  registry.script(new RegExp(`blobs/${one.layers[1]}`), async () => {
    await gate.promise;
    return false;
  });
  const pull = puller.pull(`${registry.host}/a:1`);
  while ((await blobs()).size < 2 || puller.ingests().length === 0) await Bun.sleep(1);
  await collect([]);
  gate.resolve();
  await pull;
  expect(await puller.store.verify(one.layers[0] as Digest)).toBe(true);
  expect((await blobs()).size).toBe(4);
});

test("a beginning that nobody goes on with is removed", async () => {
  const { registry, puller, one, collect } = await setUp();
  await using _ = registry;
  await using __ = puller;
  {
    await using ingest = await puller.store.openIngest({ digest: one.layers[0] as Digest, size: 5000 });
    await ingest.write(Buffer.alloc(100));
  }
  expect((await collect([])).freedBytes).toBe(100);
  expect(puller.ingests()).toEqual([]);
});
