/**
 * `load`: images of an archive, whoever wrote it. An OCI layout's manifests are taken as they are; a docker-archive has none, and
 * gets one of its configuration and layers.
 */

import { OrlopError } from "../../base/errors.ts";
import { chooseManifest } from "../../images/choose-manifest.ts";
import { ImageArchive } from "../../images/image-archive.ts";
import { describeLayer } from "../../images/layer-blob.ts";
import type { Lease } from "../../images/leases.ts";
import { type Digest, hexOf } from "../../spec/digest.ts";
import { type Descriptor, type ImageConfig, type Index, type Manifest, mediaTypes } from "../../spec/oci-image.ts";
import { checkIsImage, configMax, parseImageConfig, parseManifest } from "../../spec/oci-image-parse.ts";
import { hostPlatform, type Platform, platformDistance } from "../../spec/platform.ts";
import { parseReference, type Reference } from "../../spec/reference.ts";
import { addImage, addMadeImage } from "./add-image.ts";
import { dockerEntriesOf } from "./docker-entries.ts";
import { EarlyLayers } from "./early-layers.ts";
import { mismatch } from "./image-platform.ts";
import type { ImageRecord } from "./image-record.ts";
import type { Images } from "./images.ts";

export interface LoadedImage {
  readonly image: ImageRecord;
  readonly names: readonly Reference[];
}

/**
 * @param wanted of what is in it, this alone; undefined: this machine's where there is a choice, and whatever there is otherwise
 * @throws {OrlopError} platform_mismatch, bad_image_archive, bad_manifest, bad_tar, digest_mismatch, unsupported_compression …
 */
export async function loadImages(
  images: Images,
  source: AsyncIterable<Uint8Array>,
  wanted?: Platform,
): Promise<LoadedImage[]> {
  const stores = await images.stores();
  using lease = stores.leases.open();
  await using early = new EarlyLayers(stores);
  const archive = await ImageArchive.read(source, {
    content: stores.content,
    lease,
    onArriving: (digest, blob, known) => early.begin(digest, blob, known),
  });
  await early.settled();
  const loader = new Loader(images, archive, lease, wanted);
  if (archive.document("index.json") !== undefined) return loadLayout(loader);
  if (archive.document("manifest.json") !== undefined) return loadDocker(loader);
  throw OrlopError.of("bad_image_archive", { reason: "neither index.json nor manifest.json is in it" });
}

class Loader {
  readonly images: Images;
  readonly archive: ImageArchive;
  readonly lease: Lease;
  /** What is chosen from an index. */
  readonly platform: Platform;
  readonly #wanted: Platform | undefined;
  /** One that was not wanted. */
  #other: ImageConfig | undefined;

  constructor(images: Images, archive: ImageArchive, lease: Lease, wanted: Platform | undefined) {
    this.images = images;
    this.archive = archive;
    this.lease = lease;
    this.platform = wanted ?? hostPlatform();
    this.#wanted = wanted;
  }

  /** Whether an image is of the platform that was asked for. */
  offers(config: ImageConfig): boolean {
    const isIt = this.#wanted === undefined || platformDistance(config.platform, this.#wanted) !== undefined;
    if (!isIt) this.#other = config;
    return isIt;
  }

  /** Why no image came of the archive: they are for other platforms, or for this reason. */
  nothing(reason: string): OrlopError {
    if (this.#other === undefined) return OrlopError.of("bad_image_archive", { reason });
    return mismatch(this.#other.digest, this.#other.platform, this.platform);
  }
}

// ── OCI layout ───────────────────────────────────────────────────────────────────────────────────────────────────────

async function loadLayout(loader: Loader): Promise<LoadedImage[]> {
  const raw = loader.archive.document("index.json") as Uint8Array;
  const digest = loader.archive.blob("index.json")?.digest as Digest;
  const index = parseManifest(raw, digest, { name: "index.json", contentType: mediaTypes.ociIndex });
  if (index.kind !== "index") throw OrlopError.of("bad_image_archive", { reason: "its index.json is no index" });
  const names = dockerNames(loader.archive);
  const byManifest = new Map<Digest, { descriptor: Descriptor; names: Map<string, Reference> }>();
  for (const descriptor of index.manifests) {
    const known = byManifest.get(descriptor.digest) ?? { descriptor, names: new Map<string, Reference>() };
    const name = nameOf(descriptor);
    if (name !== undefined) known.names.set(JSON.stringify(name), name);
    byManifest.set(descriptor.digest, known);
  }
  const loaded: LoadedImage[] = [];
  for (const { descriptor, names: own } of byManifest.values()) {
    const { manifest, indexes } = findManifest(descriptor, loader, []);
    const config = configOf(manifest, loader.archive);
    if (!loader.offers(config)) continue;
    const all = own.size > 0 ? [...own.values()] : (names.get(config.digest) ?? []);
    for (const { digest: layer } of manifest.layers) await checkLayer(layer, loader);
    const image = await addImage(loader.images, { manifest, config, indexes, names: all, target: descriptor.digest });
    loader.images.tell("load", image.id, image.id, image.labels);
    loaded.push({ image, names: all });
  }
  if (loaded.length === 0) throw loader.nothing("its index names no image");
  return loaded;
}

/** Down to the manifest for this platform. */
function findManifest(
  { digest }: Descriptor,
  loader: Loader,
  above: readonly Index[],
): { readonly manifest: Manifest; readonly indexes: readonly Digest[] } {
  if (above.length > 3) throw OrlopError.of("bad_image_archive", { reason: "its indexes are nested over 3 deep" });
  const document = parseManifest(documentOf(digest, loader.archive), digest, { name: digest });
  if (document.kind === "index") {
    const next = chooseManifest(document, loader.platform, digest);
    return findManifest(next, loader, [...above, document]);
  }
  checkIsImage(document, digest);
  return { manifest: document, indexes: above.map((index) => index.digest) };
}

function configOf(manifest: Manifest, archive: ImageArchive) {
  const { digest } = manifest.config;
  return parseImageConfig(documentOf(digest, archive), digest, manifest.layers.length, digest);
}

function documentOf(digest: Digest, archive: ImageArchive): Uint8Array {
  const document = archive.document(`blobs/sha256/${hexOf(digest)}`);
  if (document === undefined) throw missing(digest);
  return document;
}

async function checkLayer(digest: Digest, { images, archive }: Loader): Promise<void> {
  const { content } = await images.stores();
  const isThere = archive.blob(`blobs/sha256/${hexOf(digest)}`) !== undefined;
  if (!isThere && (await content.sizeOf(digest)) === undefined) throw missing(digest);
}

function missing(digest: Digest): OrlopError {
  return OrlopError.of("bad_image_archive", { reason: `blob ${digest} is not in it` });
}

/** containerd's annotation, or a whole reference in OCI's; a tag alone names nothing. */
function nameOf({ annotations = {} }: Descriptor): Reference | undefined {
  const given = annotations["io.containerd.image.name"];
  if (given !== undefined) return parseReference(given);
  const name = annotations["org.opencontainers.image.ref.name"];
  return name !== undefined && /[:/]/.test(name) ? parseReference(name) : undefined;
}

/** Names that a docker-archive beside the layout gives, by configuration. */
function dockerNames(archive: ImageArchive): Map<Digest, Reference[]> {
  const names = new Map<Digest, Reference[]>();
  for (const { config, tags } of archive.document("manifest.json") === undefined ? [] : dockerEntriesOf(archive)) {
    const blob = archive.blob(config);
    if (blob !== undefined) names.set(blob.digest, tags.map(parseReference));
  }
  return names;
}

// ── docker-archive ───────────────────────────────────────────────────────────────────────────────────────────────────

async function loadDocker(loader: Loader): Promise<LoadedImage[]> {
  const { images, archive, lease } = loader;
  const { content } = await images.stores();
  const loaded: LoadedImage[] = [];
  for (const { config, tags, layers } of dockerEntriesOf(archive)) {
    const names = tags.map(parseReference);
    const document = archive.document(config);
    if (document === undefined || document.length > configMax) throw notThere(config);
    const { digest } = archive.blob(config) as { readonly digest: Digest };
    if (!loader.offers(parseImageConfig(document, digest, layers.length, config))) continue;
    const descriptors: Descriptor[] = [];
    for (const path of layers) {
      const blob = archive.blob(path);
      if (blob === undefined) throw notThere(path);
      descriptors.push(await describeLayer(blob, content));
    }
    const image = await addMadeImage(images, { config: document, layers: descriptors, names, lease });
    images.tell("load", image.id, image.id, image.labels);
    loaded.push({ image, names });
  }
  if (loaded.length === 0) throw loader.nothing("its manifest.json names no image");
  return loaded;
}

function notThere(path: string): OrlopError {
  return OrlopError.of("bad_image_archive", { reason: `${JSON.stringify(path)} is not in it` });
}
