/**
 * What an image's index names: the same image for other platforms, statements about it, and how much of each is here. An image that
 * came without an index has its own manifest alone.
 */

import { OrlopError } from "../../base/errors.ts";
import { attestedBy } from "../../images/choose-manifest.ts";
import type { ContentStore } from "../../images/content-store.ts";
import type { Digest } from "../../spec/digest.ts";
import type { Descriptor, Index, Manifest } from "../../spec/oci-image.ts";
import { manifestMax, parseManifest } from "../../spec/oci-image-parse.ts";
import type { ImageRecord } from "./image-record.ts";
import type { Images } from "./images.ts";
import { blobsOf } from "./reclaim.ts";

export interface ImageManifests {
  /** See targetOf. */
  readonly target: Descriptor;
  /** Those that are here first; each part in the index's order. */
  readonly manifests: readonly ImageManifest[];
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
}

/** An index that is not whole any more is told of as far as it goes: `system check` repairs it. */
export async function manifestsOf(images: Images, image: ImageRecord): Promise<ImageManifests> {
  const { content, leases } = await images.stores();
  using lease = leases.open();
  lease.hold(blobsOf(image));
  const indexes = new Map<Digest, Index>();
  for (const digest of image.indexes) {
    const document = await documentHere(content, digest);
    if (document?.kind === "index") indexes.set(digest, document);
  }
  const top = indexes.get(indexOf(images, image) ?? image.id);
  const target = descriptorOf(image, top);
  const entries = top === undefined ? [{ ...target, platform: image.platform }] : [...entriesOf(top, indexes)];
  const records = new Map(images.table.all().map((one) => [one.manifest.digest, one]));
  const found = await Promise.all(entries.map((entry) => lookAt(content, entry, records.get(entry.digest))));
  return { target, manifests: [...found.filter(({ isHere }) => isHere), ...found.filter(({ isHere }) => !isHere)] };
}

/** What the image's names lead to: the index, or its manifest where there is none. */
export async function targetOf(images: Images, image: ImageRecord): Promise<Descriptor> {
  const digest = indexOf(images, image);
  const document = digest === undefined ? undefined : await documentHere((await images.stores()).content, digest);
  return descriptorOf(image, document?.kind === "index" ? document : undefined);
}

function descriptorOf({ manifest }: ImageRecord, index: Index | undefined): Descriptor {
  const { mediaType, digest } = index ?? manifest;
  return { mediaType, digest, size: index?.raw.length ?? manifest.sizeBytes };
}

/** The index that the newest of its tags leads to, or of its names without a tag; without a name, the one that it came with. */
function indexOf({ table }: Images, { id, indexes }: ImageRecord): Digest | undefined {
  const names = table.namesOf(id).toSorted((a, b) => b.taggedMs - a.taggedMs);
  const [name] = [...names.filter(({ reference }) => !reference.includes("@")), ...names];
  return name === undefined ? indexes[0] : indexes.find((digest) => digest === name.target);
}

/** What an index names, and the indexes in it, each once: a stranger's could name one ten thousand times. */
function* entriesOf(index: Index, indexes: Map<Digest, Index>): Generator<Descriptor> {
  indexes.delete(index.digest);
  for (const entry of index.manifests) {
    const inner = indexes.get(entry.digest);
    if (inner === undefined) yield entry;
    else yield* entriesOf(inner, indexes);
  }
}

async function lookAt(content: ContentStore, descriptor: Descriptor, image?: ImageRecord): Promise<ImageManifest> {
  const attests = attestedBy(descriptor);
  const common = { descriptor, ...(attests === undefined ? {} : { attests }), ...(image && { image }) };
  const document = await documentHere(content, descriptor.digest);
  if (document?.kind !== "manifest") return { ...common, isHere: false, contentBytes: 0 };
  const digests = new Set([document.config, ...document.layers].map(({ digest }) => digest));
  const sizes = await Promise.all([...digests].map((digest) => content.sizeOf(digest)));
  return {
    ...common,
    isHere: sizes.every((size) => size !== undefined),
    contentBytes: sizes.reduce<number>((sum, size) => sum + (size ?? 0), document.raw.length),
  };
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
