/** Frees blobs and unpacked layers that no image and no container refers to. */

import type { Digest } from "../../spec/digest.ts";
import type { ContainerImage } from "./container-image.ts";
import { formsOf, type ImageForm, type ImageRecord } from "./image-record.ts";
import type { Images } from "./images.ts";

/** The containers' use of images. */
export interface ImageUsers {
  usersOf(image: Digest): readonly { readonly id: string; readonly isRunning: boolean }[];
  /** The images that containers run from or have mounted. */
  images(): readonly Pick<ContainerImage, "layers">[];
}

export interface Reclaimed {
  readonly bytes: number;
  /** Diff ids of the layers that were removed. */
  readonly layers: readonly Digest[];
}

/** An image's blobs in the content store. */
export function blobsOf(image: ImageRecord): Digest[] {
  return [image.id, ...new Set(formsOf(image).flatMap(blobsOfForm))];
}

function blobsOfForm({ manifest, indexes, layers, beside = [] }: ImageForm): Digest[] {
  return [manifest.digest, ...indexes, ...[...layers, ...beside].map(({ digest }) => digest)];
}

/** What must be kept. */
function needsOf(images: Images): { blobs: Set<Digest>; layers: Set<Digest> } {
  const all = images.table.all();
  return {
    blobs: new Set(all.flatMap(blobsOf)),
    layers: new Set([
      ...all.flatMap(({ layers }) => layers.map(({ diffId }) => diffId)),
      ...images.users.images().flatMap(({ layers }) => layers),
    ]),
  };
}

/** Frees what only these images had. Leases are checked just before each removal, so that a pull keeps what it needs. */
export async function reclaimImages(images: Images, removed: readonly ImageRecord[]): Promise<Reclaimed> {
  const layers = new Map(removed.flatMap((image) => image.layers.map((layer) => [layer.diffId, layer.contentBytes])));
  return reclaim(images, { blobs: removed.flatMap(blobsOf), layers: [...layers.keys()] }, layers);
}

/** Frees what only these forms had of images that are still here in another form with the same unpacked layers. */
export async function reclaimForms(images: Images, forms: readonly ImageForm[]): Promise<void> {
  await reclaim(images, { blobs: forms.flatMap(blobsOfForm), layers: [] }, new Map());
}

/** Frees what a failed pull has downloaded. The caller's leases must have ended. */
export async function reclaimPull(images: Images, blobs: readonly Digest[], layers: readonly Digest[]): Promise<void> {
  const { content, fetcher } = await images.stores();
  await reclaim(images, { blobs, layers }, new Map());
  for (const digest of blobs) if (!fetcher.underWay.has(digest)) await content.removeIngest(digest);
}

/** Frees everything unused, including what killed engines and failed pulls have left. */
export async function reclaimAll(images: Images): Promise<Reclaimed> {
  const { content, layers, fetcher } = await images.stores();
  const blobs = (await content.list()).map(({ digest }) => digest);
  const unfinished = await content.removeIngests(fetcher.underWay);
  const strays = await layers.list();
  const sizes = new Map<Digest, number>();
  for (const id of strays) sizes.set(id, (await layers.facts(id)).contentBytes);
  const freed = await reclaim(images, { blobs, layers: strays }, sizes);
  return { ...freed, bytes: freed.bytes + unfinished };
}

async function reclaim(
  images: Images,
  candidates: { readonly blobs: readonly Digest[]; readonly layers: readonly Digest[] },
  contentBytes: ReadonlyMap<Digest, number>,
): Promise<Reclaimed> {
  const { content, layers, leases, layerLeases } = await images.stores();
  const freedLayers: Digest[] = [];
  let bytes = 0;
  for (const digest of new Set(candidates.blobs)) {
    const size = (await content.sizeOf(digest)) ?? 0;
    if (needsOf(images).blobs.has(digest) || leases.has(digest)) continue;
    await content.remove(digest);
    bytes += size;
  }
  for (const diffId of new Set(candidates.layers)) {
    if (needsOf(images).layers.has(diffId) || layerLeases.has(diffId)) continue;
    await layers.remove(diffId);
    bytes += contentBytes.get(diffId) ?? 0;
    freedLayers.push(diffId);
  }
  return { bytes, layers: freedLayers };
}
