/**
 * `load`: images from an archive. The manifests of an OCI layout are kept; a docker-archive has none, so manifests are made from its
 * configurations and layers.
 */

import { OrlopError } from "../../base/errors.ts";
import { chooseManifest, isAttestation } from "../../images/choose-manifest.ts";
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
import { bestOf, mismatch } from "./image-platform.ts";
import type { ImageRecord } from "./image-record.ts";
import type { Images } from "./images.ts";
import { statementsIn } from "./statements.ts";

export interface LoadedImage {
  readonly image: ImageRecord;
  readonly names: readonly Reference[];
}

/**
 * @param wanted only this platform; undefined: all of them
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
  readonly wanted: Platform | undefined;
  /** An image that was skipped because it is for another platform. */
  #other: ImageConfig | undefined;

  constructor(images: Images, archive: ImageArchive, lease: Lease, wanted: Platform | undefined) {
    this.images = images;
    this.archive = archive;
    this.lease = lease;
    this.wanted = wanted;
  }

  /** Whether an image is for the platform that was asked for. */
  offers(config: ImageConfig): boolean {
    const isIt = this.wanted === undefined || platformDistance(config.platform, this.wanted) !== undefined;
    if (!isIt) this.#other = config;
    return isIt;
  }

  /** The error for an archive from which no image was loaded: all are for other platforms, or this reason. */
  nothing(reason: string): OrlopError {
    if (this.#other === undefined || this.wanted === undefined) return OrlopError.of("bad_image_archive", { reason });
    return mismatch(this.#other.digest, [this.#other.platform], this.wanted);
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
    const { manifests, indexes } = await imagesUnder(descriptor, loader);
    const statements = statementsIn(indexes, loader.archive);
    const platforms = manifests.map((manifest) => {
      const config = configOf(manifest, loader.archive);
      return { manifest, config, platform: config.platform, beside: statements.get(manifest.digest) ?? [] };
    });
    const wanted = platforms.filter(({ config }) => loader.offers(config));
    if (wanted.length === 0) continue;
    const offered = loader.wanted === undefined ? wanted : [bestOf(wanted, loader.wanted)];
    const given = offered.map(({ config }) => names.get(config.digest) ?? []).find((list) => list.length > 0) ?? [];
    const all = own.size > 0 ? [...own.values()] : given;
    const added = await addImage(loader.images, {
      platforms: offered,
      indexes,
      names: all,
      target: descriptor.digest,
    });
    const image = bestOf(added, loader.wanted);
    loader.images.publish("load", image.id, image.id, image.labels);
    loaded.push({ image, names: all });
  }
  if (loaded.length === 0) throw loader.nothing("its index names no image");
  return loaded;
}

/** The complete images of the archive. An index in it may name images that are not in it. */
async function imagesUnder(
  descriptor: Descriptor,
  loader: Loader,
): Promise<{ readonly manifests: readonly Manifest[]; readonly indexes: readonly Index[] }> {
  const indexes: Index[] = [];
  const found = [...new Map(findManifests(descriptor, loader, indexes).map((one) => [one.digest, one])).values()];
  const whole: Manifest[] = [];
  for (const manifest of found) if (isImage(manifest) && (await isWhole(manifest, loader))) whole.push(manifest);
  if (whole.length > 0) return { manifests: whole, indexes };
  for (const manifest of found) {
    checkIsImage(manifest, manifest.digest);
    configOf(manifest, loader.archive);
    for (const { digest } of manifest.layers) await checkLayer(digest, loader);
  }
  return { manifests: found, indexes };
}

/** @param indexes the indexes on the way are added to it, the outermost first */
function findManifests({ digest }: Descriptor, loader: Loader, indexes: Index[], depth = 0): Manifest[] {
  if (depth > 3) throw OrlopError.of("bad_image_archive", { reason: "its indexes are nested over 3 deep" });
  const document = parseManifest(documentOf(digest, loader.archive), digest, { name: digest });
  if (document.kind === "manifest") return [document];
  if (indexes.some((index) => index.digest === digest)) return [];
  indexes.push(document);
  const inside = document.manifests.filter((entry) => !isAttestation(entry) && isIn(entry, loader));
  // None is complete: the error is about the one that would be chosen.
  const followed = inside.length > 0 ? inside : [chooseManifest(document, loader.wanted ?? hostPlatform(), digest)];
  return followed.flatMap((entry) => findManifests(entry, loader, indexes, depth + 1));
}

function isIn({ digest }: Descriptor, { archive }: Loader): boolean {
  return archive.document(pathOf(digest)) !== undefined;
}

function configOf(manifest: Manifest, archive: ImageArchive) {
  const { digest } = manifest.config;
  return parseImageConfig(documentOf(digest, archive), digest, manifest.layers.length, digest);
}

function documentOf(digest: Digest, archive: ImageArchive): Uint8Array {
  const document = archive.document(pathOf(digest));
  if (document === undefined) throw missing(digest);
  return document;
}

function isImage(manifest: Manifest): boolean {
  try {
    checkIsImage(manifest, manifest.digest);
    return true;
  } catch (error) {
    if (error instanceof OrlopError) return false;
    throw error;
  }
}

/** Whether its configuration is in the archive, and its layers are in the archive or in the store. */
async function isWhole({ config, layers }: Manifest, loader: Loader): Promise<boolean> {
  if (!isIn(config, loader)) return false;
  for (const { digest } of layers) if (!(await isHere(digest, loader))) return false;
  return true;
}

async function isHere(digest: Digest, { images, archive }: Loader): Promise<boolean> {
  const { content } = await images.stores();
  return archive.blob(pathOf(digest)) !== undefined || (await content.sizeOf(digest)) !== undefined;
}

async function checkLayer(digest: Digest, loader: Loader): Promise<void> {
  if (!(await isHere(digest, loader))) throw missing(digest);
}

function pathOf(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

function missing(digest: Digest): OrlopError {
  return OrlopError.of("bad_image_archive", { reason: `blob ${digest} is not in it` });
}

/** The name in containerd's annotation, or in OCI's if that is a complete reference and not only a tag. */
function nameOf({ annotations = {} }: Descriptor): Reference | undefined {
  const given = annotations["io.containerd.image.name"];
  if (given !== undefined) return parseReference(given);
  const name = annotations["org.opencontainers.image.ref.name"];
  return name !== undefined && /[:/]/.test(name) ? parseReference(name) : undefined;
}

/** Names from the manifest.json beside an OCI layout, by configuration. */
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
    images.publish("load", image.id, image.id, image.labels);
    loaded.push({ image, names });
  }
  if (loaded.length === 0) throw loader.nothing("its manifest.json names no image");
  return loaded;
}

function notThere(path: string): OrlopError {
  return OrlopError.of("bad_image_archive", { reason: `${JSON.stringify(path)} is not in it` });
}
