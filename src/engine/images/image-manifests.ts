/**
 * What a name's target leads to: of an index all that it names (the same image for other platforms, statements about it), and how
 * much of each is here. A manifest is its own and only one.
 */

import { OrlopError } from "../../base/errors.ts";
import { attestedBy } from "../../images/choose-manifest.ts";
import type { ContentStore } from "../../images/content-store.ts";
import type { Lease } from "../../images/leases.ts";
import type { Digest } from "../../spec/digest.ts";
import { type Descriptor, type Index, type Manifest, mediaTypes } from "../../spec/oci-image.ts";
import { manifestMax, parseManifest } from "../../spec/oci-image-parse.ts";
import { formUnder, type ImageRecord } from "./image-record.ts";
import { targetOf } from "./image-table.ts";
import type { Images } from "./images.ts";
import { blobsOf } from "./reclaim.ts";

/** An index, in an index, in an index, as for a pull. */
const depthMax = 3;

export interface ImageManifests {
  readonly target: Descriptor;
  /** Those that are here first; each part in the index's order. */
  readonly manifests: readonly ImageManifest[];
  /** The target, where it is an index, and the indexes in it that are here, each behind the one that names it. */
  readonly indexes: readonly Index[];
  /** Everything that the target leads to is here. */
  readonly isWhole: boolean;
}

export interface ImageManifest {
  readonly descriptor: Descriptor;
  /** Its configuration and its layers are all here. */
  readonly isHere: boolean;
  /** Of it and of what it names, what is here as it came. */
  readonly contentBytes: number;
  /** The manifest that it is a statement about. */
  readonly attests?: string;
  /** Containers can run from it: it is unpacked. */
  readonly image?: ImageRecord;
  readonly document?: Manifest;
}

/**
 * An index that is not whole any more is told of as far as it goes: `system check` repairs it.
 *
 * @param image  one that the target leads to
 * @param lease  the caller's: what is said to be here stays as long as it lasts
 */
export async function manifestsOf(
  images: Images,
  image: ImageRecord,
  lease: Lease,
  target = targetOf(images.table, image),
): Promise<ImageManifests> {
  const { content } = await images.stores();
  lease.hold([...blobsOf(image), target]);
  const walk: Walk = { content, lease, indexes: [], entries: [], seen: new Set() };
  const own = ownDescriptor(image, target);
  const top = target === own.digest ? undefined : await documentHere(content, target);
  if (top?.kind === "index") await follow(walk, top, 1);
  else walk.entries.push({ ...own, platform: image.platform });
  const found = await Promise.all(walk.entries.map((entry) => lookAt(images, walk, entry)));
  const described = walk.indexes[0] === undefined ? own : descriptorOf(walk.indexes[0]);
  const manifests = [...found.filter(({ isHere }) => isHere), ...found.filter(({ isHere }) => !isHere)];
  return { target: described, manifests, indexes: walk.indexes, isWhole: found.every(({ isHere }) => isHere) };
}

/** The target alone. */
export async function targetDescriptor(images: Images, image: ImageRecord, target: Digest): Promise<Descriptor> {
  const { content, leases } = await images.stores();
  using lease = leases.open();
  lease.hold([target]);
  const own = ownDescriptor(image, target);
  const top = target === own.digest ? undefined : await documentHere(content, target);
  return top?.kind === "index" ? descriptorOf(top) : own;
}

function ownDescriptor(image: ImageRecord, target: Digest): Descriptor {
  const { mediaType, digest, sizeBytes } = formUnder(image, target).manifest;
  return { mediaType, digest, size: sizeBytes };
}

interface Walk {
  readonly content: ContentStore;
  readonly lease: Lease;
  readonly indexes: Index[];
  /** What the indexes name and is none. */
  readonly entries: Descriptor[];
  /** A stranger's index could name another ten thousand times. */
  readonly seen: Set<Digest>;
}

async function follow(walk: Walk, index: Index, depth: number): Promise<void> {
  walk.indexes.push(index);
  for (const entry of index.manifests) {
    const isIndex = entry.mediaType === mediaTypes.ociIndex || entry.mediaType === mediaTypes.dockerIndex;
    if (isIndex && walk.seen.has(entry.digest)) continue;
    walk.seen.add(entry.digest);
    walk.lease.hold([entry.digest]);
    const inner = isIndex && depth < depthMax ? await documentHere(walk.content, entry.digest) : undefined;
    if (inner?.kind === "index") await follow(walk, inner, depth + 1);
    else walk.entries.push(entry);
  }
}

async function lookAt(images: Images, { content, lease }: Walk, descriptor: Descriptor): Promise<ImageManifest> {
  const attests = attestedBy(descriptor);
  const [image] = images.table.imagesUnder(descriptor.digest);
  const common = { descriptor, ...(attests === undefined ? {} : { attests }), ...(image && { image }) };
  const document = await documentHere(content, descriptor.digest);
  if (document?.kind !== "manifest") return { ...common, isHere: false, contentBytes: 0 };
  const digests = new Set([document.config, ...document.layers].map(({ digest }) => digest));
  lease.hold([...digests]);
  const sizes = await Promise.all([...digests].map((digest) => content.sizeOf(digest)));
  return {
    ...common,
    isHere: sizes.every((size) => size !== undefined),
    contentBytes: sizes.reduce<number>((sum, size) => sum + (size ?? 0), document.raw.length),
    document,
  };
}

function descriptorOf({ mediaType, digest, raw }: Index): Descriptor {
  return { mediaType, digest, size: raw.length };
}

/** undefined: it is not here, or no longer what its name says. */
async function documentHere(content: ContentStore, digest: Digest): Promise<Manifest | Index | undefined> {
  const size = await content.sizeOf(digest);
  if (size === undefined || size > manifestMax) return undefined;
  try {
    return parseManifest(await content.read(digest, manifestMax), digest, { name: digest });
  } catch (error) {
    if (error instanceof OrlopError) return undefined;
    throw error;
  }
}
