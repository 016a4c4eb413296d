/** The one way in which an image comes to be: its layers are unpacked, then it is written down, with its names. */

import { createHash } from "node:crypto";
import { point } from "../../base/point.ts";
import type { ArrivingBlob } from "../../images/arriving-blob.ts";
import type { Lease } from "../../images/leases.ts";
import { type Digest, digestOfHex } from "../../spec/digest.ts";
import { type Descriptor, type ImageConfig, type Manifest, mediaTypes } from "../../spec/oci-image.ts";
import { parseImageConfig, parseManifest } from "../../spec/oci-image-parse.ts";
import type { Reference } from "../../spec/reference.ts";
import { keepBudget } from "./budget.ts";
import type { ImageLayer, ImageRecord, NameRecord } from "./image-record.ts";
import type { ImageStores, UnpackOptions } from "./image-stores.ts";
import { nameKey } from "./image-table.ts";
import type { Images } from "./images.ts";

export interface NewImage {
  /** In the content store, and all that it names; the caller holds a lease on them. */
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** Indexes that led to the manifest, in the store. */
  readonly indexes?: readonly Digest[];
  readonly names: readonly Reference[];
  /** See NameRecord; by default the manifest. */
  readonly target?: Digest;
}

/**
 * Adds an image, or gives names to the one that is there.
 *
 * @returns the image, durable
 * @throws {OrlopError} what is wrong with a layer
 */
export async function addImage(images: Images, { manifest, config, ...given }: NewImage): Promise<ImageRecord> {
  const stores = await images.stores();
  using lease = stores.layerLeases.open();
  lease.hold(config.diffIds);
  const layers = await Promise.all(manifest.layers.map((layer, i) => layerOf(stores, layer, config.diffIds[i])));
  const before = images.table.image(config.digest);
  const image: ImageRecord = {
    id: config.digest,
    configBytes: config.raw.length,
    manifest: { mediaType: manifest.mediaType, digest: manifest.digest, sizeBytes: manifest.raw.length },
    indexes: [...new Set([...(given.indexes ?? []), ...keptIndexes(before, manifest.digest)])],
    layers,
    platform: config.platform,
    ...(config.created === undefined ? {} : { created: config.created }),
    labels: config.config.Labels ?? {},
    addedMs: before?.addedMs ?? Date.now(),
    usedMs: before?.usedMs ?? 0,
  };
  const target = given.target ?? manifest.digest;
  const names = given.names.map(
    (name): NameRecord => ({ reference: nameKey(name), image: image.id, target, taggedMs: Date.now() }),
  );
  point("images.add.whole");
  await images.commit({ putImages: [image], putNames: names });
  await keepBudget(images, image.id);
  return image;
}

/** What another tag's index is to a push of that tag, as long as the manifest is the same. */
function keptIndexes(before: ImageRecord | undefined, manifest: Digest): readonly Digest[] {
  return before?.manifest.digest === manifest ? before.indexes : [];
}

/** Unpacked when it is not, with what is known of it. */
export async function layerOf(
  stores: ImageStores,
  { digest, mediaType, size }: Descriptor,
  diffId: Digest | undefined,
  { arriving, ...options }: UnpackOptions & { readonly arriving?: ArrivingBlob } = {},
): Promise<ImageLayer> {
  if (diffId === undefined) throw new Error("parseImageConfig gives each layer its diff id");
  const facts = await stores.ensureLayer({ digest, size, diffId, ...(arriving && { arriving }) }, options);
  return { digest, mediaType, sizeBytes: size, diffId, ...facts };
}

export interface MadeImage {
  /** The configuration's bytes (OCI image-spec config.md): its diff ids are the layers'. */
  readonly config: Uint8Array;
  /** Blobs in the content store, the lowest first; the caller holds a lease on them. */
  readonly layers: readonly Descriptor[];
  readonly names: readonly Reference[];
  /** The caller's, for configuration and manifest as well. */
  readonly lease: Lease;
}

/** Adds an image that was made here (commit, load, import): its manifest is written from its layers. */
export async function addMadeImage(images: Images, { config, layers, names, lease }: MadeImage): Promise<ImageRecord> {
  const { content } = await images.stores();
  const describe = (mediaType: string, bytes: Uint8Array): Descriptor => ({
    mediaType,
    digest: digestOfHex(createHash("sha256").update(bytes).digest("hex")),
    size: bytes.length,
  });
  const configDescriptor = describe(mediaTypes.ociConfig, config);
  const parsed = parseImageConfig(config, configDescriptor.digest, layers.length, "the new image");
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: configDescriptor,
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  };
  const raw = new TextEncoder().encode(JSON.stringify(document));
  const { digest } = describe(mediaTypes.ociManifest, raw);
  lease.hold([configDescriptor.digest, digest]);
  await content.put(config);
  await content.put(raw);
  const manifest = parseManifest(raw, digest, { name: "the new image" });
  if (manifest.kind !== "manifest") throw new Error("a manifest was written");
  return addImage(images, { manifest, config: parsed, names });
}
