/** The only way to add images: unpacks their layers, then records them and their names in one change. */

import { createHash } from "node:crypto";
import { point } from "../../base/point.ts";
import type { ArrivingBlob } from "../../images/arriving-blob.ts";
import type { Lease } from "../../images/leases.ts";
import { type Digest, digestOfHex } from "../../spec/digest.ts";
import { type Descriptor, type ImageConfig, type Index, type Manifest, mediaTypes } from "../../spec/oci-image.ts";
import { parseImageConfig, parseManifest } from "../../spec/oci-image-parse.ts";
import type { Reference } from "../../spec/reference.ts";
import { keepBudget } from "./budget.ts";
import type { ImageForm, ImageLayer, ImageRecord } from "./image-record.ts";
import type { ImageStores, UnpackOptions } from "./image-stores.ts";
import type { Images } from "./images.ts";
import { changesFor } from "./new-platforms.ts";
import { reclaimForms } from "./reclaim.ts";

export interface NewImage {
  /** One for each platform. They and everything that they name are in the content store; the caller holds a lease on that. */
  readonly platforms: readonly {
    readonly manifest: Manifest;
    readonly config: ImageConfig;
    readonly beside?: ImageForm["beside"];
  }[];
  /** The indexes that name them, in the content store, the outermost first. */
  readonly indexes?: readonly Index[];
  readonly names: readonly Reference[];
  /** The target of the names. */
  readonly target: Digest;
}

/**
 * Adds an image, or names for one that exists. Other platforms of the same index stay.
 *
 * @returns a record for each manifest, durable
 * @throws {OrlopError} a layer is broken
 */
export async function addImage(images: Images, given: NewImage): Promise<readonly ImageRecord[]> {
  const stores = await images.stores();
  using lease = stores.layerLeases.open();
  lease.hold(given.platforms.flatMap(({ config }) => config.diffIds));
  const came = await Promise.all(
    given.platforms.map(async ({ manifest, config, ...rest }) => ({
      ...rest,
      manifest,
      config,
      layers: await Promise.all(manifest.layers.map((layer, i) => layerOf(stores, layer, config.diffIds[i]))),
    })),
  );
  point("images.add.whole");
  let added: readonly ImageRecord[] = [];
  let left: readonly ImageForm[] = [];
  await images.commit(() => {
    const { changes, ...rest } = changesFor(images.table, { ...given, came });
    ({ added, left } = rest);
    return changes;
  });
  if (left.length > 0) await reclaimForms(images, left);
  await keepBudget(
    images,
    added.map(({ id }) => id),
  );
  return added;
}

/** Unpacks a layer, unless it is unpacked already. */
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
  /** The layers' blobs in the content store, the lowest first; the caller holds a lease on them. */
  readonly layers: readonly Descriptor[];
  readonly names: readonly Reference[];
  /** The caller's lease, which configuration and manifest are added to. */
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
  const [image] = await addImage(images, { platforms: [{ manifest, config: parsed }], names, target: digest });
  return image as ImageRecord;
}
