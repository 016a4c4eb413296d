/**
 * `save`: images as one archive that is an OCI layout and a docker-archive at once. Every blob is in it once, byte for byte as
 * it is stored, so that a digest means the same everywhere and nothing is compressed for it. What says what is in it comes first:
 * who loads it can unpack a layer while it comes. An index is in it as it came, with all that is here of what it names.
 */

import { createReadStream } from "node:fs";
import { OrlopError } from "../../base/errors.ts";
import type { Lease } from "../../images/leases.ts";
import type { Digest } from "../../spec/digest.ts";
import { hexOf } from "../../spec/digest.ts";
import type { Descriptor } from "../../spec/oci-image.ts";
import type { Platform } from "../../spec/platform.ts";
import { familiarReference, parseReference } from "../../spec/reference.ts";
import { byteStringOfText, type TarEntry } from "../../spec/tar-entry.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../../spec/tar-writer.ts";
import { isHostImage } from "./host-image.ts";
import { manifestsOf } from "./image-manifests.ts";
import { among } from "./image-platform.ts";
import { formUnder, type ImageRecord, type NameRecord } from "./image-record.ts";
import { type ImageTable, targetOf } from "./image-table.ts";
import type { Images } from "./images.ts";

/** One image of an archive, and the names that go with it. */
export interface SavedImage {
  readonly target: Digest;
  /** What a docker-archive has of it, which has no platforms. */
  readonly image: ImageRecord;
  /** As Docker shows them, e.g. "alpine:3.20". */
  readonly names: readonly string[];
}

/**
 * The images that these words mean: a repository without a tag means all of its tags, an id no name.
 *
 * @param wanted of each one this platform's manifest alone
 * @throws {OrlopError} no_such_image, platform_mismatch
 */
export function chooseImages({ table }: Images, words: readonly string[], wanted?: Platform): SavedImage[] {
  const chosen = new Map<string, SavedImage & { readonly names: string[] }>();
  const choose = (saved: SavedImage): void => {
    const key = `${saved.target} ${saved.image.id}`;
    const known = chosen.get(key) ?? { ...saved, names: [] };
    known.names.push(...saved.names.filter((name) => !known.names.includes(name)));
    chosen.set(key, known);
  };
  for (const word of words) {
    if (isHostImage(word)) throw OrlopError.of("unknown_field", { field: "saving the machine itself" });
    const found = table.find(word);
    const tags = found === undefined || found.name !== undefined ? tagsOf(table.names(), word) : [];
    for (const name of tags) for (const saved of savedName(table, name, wanted)) choose(saved);
    if (tags.length > 0) continue;
    const first = table.get(word);
    const image = wanted === undefined ? first : among(table.allOf(word), word, wanted);
    const target = found?.name?.target ?? targetOf(table, first);
    choose({ image, names: [], target: wanted === undefined ? target : formUnder(image, target).manifest.digest });
  }
  return [...chosen.values()];
}

function savedName(table: ImageTable, name: NameRecord, wanted: Platform | undefined): SavedImage[] {
  const { reference, target } = name;
  const names = [familiarReference(parseReference(reference))];
  const all = table.platformsOf(name);
  const image = wanted === undefined || all.length === 0 ? all[0] : among(all, names[0] ?? "", wanted);
  if (image === undefined) return [];
  return [{ image, names, target: wanted === undefined ? target : formUnder(image, target).manifest.digest }];
}

/** The names with a tag that a word means. */
function tagsOf(names: readonly NameRecord[], word: string): NameRecord[] {
  if (word.includes("@")) return [];
  const { host, repository, tag } = parseReference(word);
  const isOne = word.endsWith(`:${tag}`);
  return names.filter(({ reference }) => {
    const name = parseReference(reference);
    if (name.digest !== undefined || name.host !== host || name.repository !== repository) return false;
    return !isOne || name.tag === tag;
  });
}

/** The archive, as fast as it is taken. The blobs stay as long. */
export async function* saveImages(images: Images, chosen: readonly SavedImage[]): AsyncGenerator<Uint8Array, void> {
  const { content, leases } = await images.stores();
  using lease = leases.open();
  const all: Content[] = [];
  for (const saved of chosen) all.push(await contentOf(images, saved, lease));
  const blobs = new Set([...all.flatMap(({ documents }) => documents), ...all.flatMap(({ layers }) => layers)]);
  yield file("index.json", indexOf(all));
  yield file("manifest.json", dockerManifest(chosen));
  yield file("oci-layout", { imageLayoutVersion: "1.0.0" });
  yield header("blobs/", 0);
  yield header("blobs/sha256/", 0);
  for (const digest of blobs) {
    const size = await content.sizeOf(digest);
    if (size === undefined) throw OrlopError.of("blob_unknown", { digest });
    yield header(pathOf(digest), size);
    yield* createReadStream(content.pathOf(digest), { highWaterMark: 1 << 20, end: Math.max(size - 1, 0) });
    yield tarPadding(size);
  }
  yield tarEnd;
  for (const { image } of chosen) images.publish("save", image.id, image.id, image.labels);
}

/** What is in the archive of an image. */
interface Content {
  readonly saved: SavedImage;
  readonly descriptor: Descriptor;
  readonly documents: readonly Digest[];
  readonly layers: readonly Digest[];
}

async function contentOf(images: Images, saved: SavedImage, lease: Lease): Promise<Content> {
  const { image, target: wanted } = saved;
  const { target, indexes, manifests } = await manifestsOf(images, image, lease, wanted);
  const form = formUnder(image, wanted);
  const here = manifests.filter(({ isHere }) => isHere).flatMap(({ document }) => document ?? []);
  const configs = [image.id, ...here.map(({ config }) => config.digest)];
  const documents = [
    ...configs,
    form.manifest.digest,
    ...here.map(({ digest }) => digest),
    ...indexes.map((one) => one.digest),
  ];
  const layers = [...form.layers, ...here.flatMap((one) => one.layers)].map(({ digest }) => digest);
  const platform = indexes.length === 0 ? { platform: image.platform } : {};
  return { saved, descriptor: { ...target, ...platform }, documents, layers };
}

function pathOf(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

/** OCI image-layout's, with the annotation by which containerd and Docker know names. */
function indexOf(all: readonly Content[]): unknown {
  const manifests = all.flatMap(({ saved: { names }, descriptor }) => {
    const named = names.map((name) => ({ ...descriptor, annotations: annotationsOf(name) }));
    return named.length === 0 ? [descriptor] : named;
  });
  return { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests };
}

function annotationsOf(name: string): Readonly<Record<string, string>> {
  const { host, repository, tag } = parseReference(name);
  return {
    "io.containerd.image.name": `${host}/${repository}:${tag}`,
    "org.opencontainers.image.ref.name": tag ?? "",
  };
}

function dockerManifest(chosen: readonly SavedImage[]): unknown {
  return chosen.map(({ image, names, target }) => ({
    Config: pathOf(image.id),
    RepoTags: names.length === 0 ? null : names,
    Layers: formUnder(image, target).layers.map(({ digest }) => pathOf(digest)),
  }));
}

function file(name: string, value: unknown): Uint8Array {
  const bytes = Buffer.from(JSON.stringify(value));
  return Buffer.concat([header(name, bytes.length), bytes, tarPadding(bytes.length)]);
}

/** Of a time that is always the same: an image saved twice is the same archive. */
function header(name: string, size: number): Uint8Array {
  const isDirectory = name.endsWith("/");
  const entry: TarEntry = {
    kind: isDirectory ? "directory" : "file",
    path: byteStringOfText(name),
    link: byteStringOfText(""),
    mode: isDirectory ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    user: byteStringOfText(""),
    group: byteStringOfText(""),
    size,
    mtimeNs: 0n,
    major: 0,
    minor: 0,
    xattrs: [],
  };
  return encodeTarHeader(entry);
}
