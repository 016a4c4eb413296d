/**
 * `save`: images as one archive that is an OCI layout and a docker-archive at once. Every blob is in it once, byte for byte as
 * it is stored, so that a digest means the same everywhere and nothing is compressed for it. What says what is in it comes first:
 * who loads it can unpack a layer while it comes.
 */

import { createReadStream } from "node:fs";
import { OrlopError } from "../../base/errors.ts";
import type { Digest } from "../../spec/digest.ts";
import { hexOf } from "../../spec/digest.ts";
import { familiarReference, parseReference } from "../../spec/reference.ts";
import { byteStringOfText, type TarEntry } from "../../spec/tar-entry.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../../spec/tar-writer.ts";
import { isHostImage } from "./host-image.ts";
import type { ImageRecord } from "./image-record.ts";
import type { Images } from "./images.ts";

/** One image of an archive, and the names that go with it. */
export interface SavedImage {
  readonly image: ImageRecord;
  /** As Docker shows them, e.g. "alpine:3.20". */
  readonly names: readonly string[];
}

/** The images that these words mean: a repository without a tag means all of its tags, an id no name. @throws {OrlopError} no_such_image */
export function chooseImages({ table }: Images, words: readonly string[]): SavedImage[] {
  const chosen = new Map<Digest, { image: ImageRecord; names: Set<string> }>();
  const choose = (image: ImageRecord, names: readonly string[]): void => {
    const known = chosen.get(image.id) ?? { image, names: new Set<string>() };
    for (const name of names) known.names.add(name);
    chosen.set(image.id, known);
  };
  for (const word of words) {
    if (isHostImage(word)) throw OrlopError.of("unknown_field", { field: "saving the machine itself" });
    const found = table.find(word);
    const tags = found === undefined || found.name !== undefined ? tagsOf(table.names(), word) : [];
    for (const { reference, image } of tags) {
      const record = table.image(image);
      if (record !== undefined) choose(record, [familiarReference(parseReference(reference))]);
    }
    if (tags.length === 0) choose(table.get(word), []);
  }
  return [...chosen.values()].map(({ image, names }) => ({ image, names: [...names] }));
}

/** The names with a tag that a word means. */
function tagsOf(names: readonly { readonly reference: string; readonly image: Digest }[], word: string) {
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
  const blobs = [...new Set([...chosen.flatMap(documentsOf), ...chosen.flatMap(layersOf)])];
  lease.hold(blobs);
  yield file("index.json", indexOf(chosen));
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
  for (const { image } of chosen) images.tell("save", image.id, image.id, image.labels);
}

function documentsOf({ image: { id, manifest } }: SavedImage): Digest[] {
  return [id, manifest.digest];
}

function layersOf({ image: { layers } }: SavedImage): Digest[] {
  return layers.map(({ digest }) => digest);
}

function pathOf(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

/** OCI image-layout's, with the annotation by which containerd and Docker know names. */
function indexOf(chosen: readonly SavedImage[]): unknown {
  const manifests = chosen.flatMap(({ image, names }) => {
    const { mediaType, digest, sizeBytes } = image.manifest;
    const entry = { mediaType, digest, size: sizeBytes, platform: image.platform };
    const named = names.map((name) => ({ ...entry, annotations: annotationsOf(name) }));
    return named.length === 0 ? [entry] : named;
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
  return chosen.map(({ image, names }) => ({
    Config: pathOf(image.id),
    RepoTags: names.length === 0 ? null : names,
    Layers: image.layers.map(({ digest }) => pathOf(digest)),
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
