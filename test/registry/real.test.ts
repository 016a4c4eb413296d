/** Debian's docker-registry and skopeo: what we push they read, what they push we read, byte for byte. */
import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type PushEvent, pushImage } from "../../src/images/push.ts";
import { deleteManifest, headManifest, listReferrers, listTags } from "../../src/images/registry-client.ts";
import type { Digest } from "../../src/spec/digest.ts";
import { type Manifest, mediaTypes } from "../../src/spec/oci-image.ts";
import { parseManifest } from "../../src/spec/oci-image-parse.ts";
import type { Credentials } from "../../src/spec/registry-credentials.ts";
import { DockerRegistry, type DockerRegistryOptions } from "./docker-registry.ts";
import { failure, Puller, randomBytes } from "./pulling.ts";
import { digestOf } from "./scripted-registry.ts";

const login = { username: "user", password: "pass word:ü" };
const credentials: Credentials = { kind: "password", ...login };

/** Puts an image with these layers into a store: tar layers, gzip. */
async function storeImage(puller: Puller, layers: readonly Buffer[]): Promise<Manifest> {
  const blobs = layers.map((layer) => gzipSync(layer));
  const rootfs = { type: "layers", diff_ids: layers.map(digestOf) };
  const config = Buffer.from(JSON.stringify({ os: "linux", architecture: "amd64", config: {}, rootfs, history: [] }));
  const describe = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: describe(mediaTypes.ociConfig, config),
    layers: blobs.map((blob) => describe("application/vnd.oci.image.layer.v1.tar+gzip", blob)),
  };
  for (const blob of [...blobs, config]) await puller.store.put(blob);
  const raw = Buffer.from(JSON.stringify(document));
  await puller.store.put(raw);
  return parseManifest(raw, digestOf(raw), { name: "made" }) as Manifest;
}

function tarOf(files: Readonly<Record<string, Buffer>>): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "orlop-tar-"));
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  const tar = execFileSync("tar", ["-C", folder, "-c", "."], { maxBuffer: 64 << 20 });
  rmSync(folder, { recursive: true });
  return tar;
}

/** One registry with one image of 20 MB pushed to `a:1`. */
async function setUp(options: DockerRegistryOptions = {}) {
  const registry = await DockerRegistry.open(options);
  const config = options.tls === true ? { [registry.host]: { ca: registry.ca } } : {};
  const who = options.login === undefined ? {} : { credentials };
  const puller = await Puller.open({ config, ...who });
  const manifest = await storeImage(puller, [
    tarOf({ big: randomBytes(20_000_000, 3) }),
    tarOf({ small: randomBytes(10, 4) }),
  ]);
  const events: PushEvent[] = [];
  const push = (repository: string, tag: string, mountFrom?: (digest: Digest) => string) =>
    pushImage({
      session: puller.registries.session({ host: registry.host, repository }, who.credentials),
      store: puller.store,
      documents: [manifest],
      tag,
      onEvent: (event) => events.push(event),
      ...(mountFrom === undefined ? {} : { mountFrom }),
    });
  return { registry, puller, manifest, events, push, config, who };
}

for (const [name, options] of Object.entries<DockerRegistryOptions>({
  "plain http, found out by asking": {},
  "TLS with its own authority": { tls: true },
  "TLS and a password": { tls: true, login },
  "a password": { login },
}))
  test(`push, pull, and skopeo agree: ${name}`, async () => {
    const { registry, puller, manifest, events, push, config, who } = await setUp(options);
    await using _ = registry;
    await using __ = puller;
    await push("a", "1");
    expect(events.flatMap((event) => (event.kind === "uploaded" ? [event.outcome] : []))).toEqual(
      Array(3).fill("uploaded"),
    );
    await using other = await Puller.open({ config, ...who });
    expect((await other.pull(`${registry.host}/a:1`)).manifest.raw).toEqual(manifest.raw);
    const skopeo = [
      "--tls-verify=false",
      ...(options.login === undefined ? [] : [`--creds=${login.username}:${login.password}`]),
    ];
    const raw = execFileSync("skopeo", ["inspect", "--raw", ...skopeo, `docker://${registry.host}/a:1`]);
    expect(raw).toEqual(Buffer.from(manifest.raw));
    if (options.login === undefined) return;
    await using stranger = await Puller.open({ config });
    expect(await failure(stranger.pull(`${registry.host}/a:1`))).toContain("pull access denied for a");
    await using liar = await Puller.open({
      config,
      credentials: { kind: "password", username: "user", password: "no" },
    });
    expect(await failure(liar.pull(`${registry.host}/a:1`))).toContain(`${registry.host} refuses these credentials`);
  }, 30_000);

test("a certificate that nobody vouches for is refused, and http is not tried instead", async () => {
  const { registry, puller } = await setUp({ tls: true });
  await using _ = registry;
  await using __ = puller;
  await using stranger = await Puller.open();
  expect(await failure(stranger.pull(`${registry.host}/a:1`))).toMatch(/cannot reach https:.*(certificate|CERT)/);
}, 30_000);

test("what is there is not sent again; another repository's blob is mounted", async () => {
  const { registry, puller, events, push } = await setUp();
  await using _ = registry;
  await using __ = puller;
  await push("a", "1");
  await push("a", "2");
  await push("b", "1", () => "a");
  const outcomes = events.flatMap((event) => (event.kind === "uploaded" ? [event.outcome] : []));
  expect(outcomes.slice(3)).toEqual([...Array(3).fill("was-there"), ...Array(3).fill("mounted")]);
}, 30_000);

test("tags are listed over pages, referrers are found or empty, manifests are deleted", async () => {
  const { registry, puller, push, manifest } = await setUp();
  await using _ = registry;
  await using __ = puller;
  for (const tag of ["1", "2", "three"]) await push("a", tag);
  const session = puller.registries.session({ host: registry.host, repository: "a" });
  expect((await listTags(session)).sort()).toEqual(["1", "2", "three"]);
  expect((await listReferrers(session, manifest.digest)).manifests).toEqual([]);
  expect((await headManifest(session, "three"))?.digest).toBe(manifest.digest);
  expect(await deleteManifest(session, manifest.digest)).toBe(true);
  expect(await headManifest(session, "three")).toBeUndefined();
  expect(await deleteManifest(session, manifest.digest)).toBe(false);
}, 30_000);

test("skopeo reads our layout, and an image that skopeo pushed in Docker's format is pulled", async () => {
  const { registry, puller, manifest } = await setUp();
  await using _ = registry;
  await using __ = puller;
  await puller.store.writeIndex([
    { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.raw.length, name: "made:1" },
  ]);
  const target = `docker://${registry.host}/s:1`;
  execFileSync("skopeo", [
    "copy",
    "-q",
    "--format=v2s2",
    "--dest-tls-verify=false",
    `oci:${puller.folder}:made:1`,
    target,
  ]);
  await using other = await Puller.open();
  const pulled = await other.pull(`${registry.host}/s:1`);
  expect(pulled.manifest.mediaType).toBe(mediaTypes.dockerManifest);
  expect(pulled.manifest.layers.map(({ digest }) => digest)).toEqual(manifest.layers.map(({ digest }) => digest));
  const index = JSON.parse(readFileSync(join(puller.folder, "index.json"), "utf8"));
  expect(index.manifests[0].annotations["org.opencontainers.image.ref.name"]).toBe("made:1");
}, 30_000);
