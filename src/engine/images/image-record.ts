/** The stored records of images and of their names. */

import type { Digest } from "../../spec/digest.ts";
import type { Platform } from "../../spec/platform.ts";
import type { Row } from "../../store/rows.ts";

/** One layer. It is stored twice: as a compressed blob, and unpacked. */
export interface ImageLayer {
  /** The digest of the blob in the content store. */
  readonly digest: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** The digest of the uncompressed tar, which names the layer's directory. */
  readonly diffId: Digest;
  /** The size of all its files. */
  readonly contentBytes: number;
  /** As in LayerFacts. */
  readonly hidesEtc: boolean;
}

/** An image as it was pulled or loaded. The same image, compressed or described differently, has another manifest and the same id. */
export interface ImageForm {
  readonly manifest: { readonly mediaType: string; readonly digest: Digest; readonly sizeBytes: number };
  /** The indexes that name the manifest, kept byte for byte, so that a push can send them. */
  readonly indexes: readonly Digest[];
  /** The layers, the lowest first. */
  readonly layers: readonly ImageLayer[];
  /** Blobs of attestations, which its indexes name too. */
  readonly beside?: readonly { readonly digest: Digest; readonly sizeBytes: number; readonly isManifest: boolean }[];
}

/** An image of one platform. A name can have several of them. */
export interface ImageRecord extends ImageForm {
  /** The digest of the configuration. */
  readonly id: Digest;
  /** The configuration's size. */
  readonly configBytes: number;
  /** Other forms of the image that names have as their target. */
  readonly others?: readonly ImageForm[];
  readonly platform: Platform;
  /** From the configuration, in RFC 3339. */
  readonly created?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Unix time: when it was added, when it was last run. */
  readonly addedMs: number;
  readonly usedMs: number;
}

/** A name with a tag or a digest, and its target. */
export interface NameRecord {
  /** Complete: `docker.io/library/alpine:3.20`, `docker.io/library/alpine@sha256:…`. */
  readonly reference: string;
  /** An index, of whose platforms any number is here, or a manifest. */
  readonly target: Digest;
  /** The default: of the platforms that are here, the best match for this machine. */
  readonly image: Digest;
  readonly taggedMs: number;
}

export function encodeImage(record: ImageRecord): Row {
  return { kind: "image", id: record.id, name: record.id, record: JSON.stringify(record) };
}

export function encodeName(record: NameRecord): Row {
  return { kind: "tag", id: record.reference, name: record.reference, record: JSON.stringify(record) };
}

/** Not validated: the database holds only what the functions above wrote. */
export function decodeImage(row: Row): ImageRecord {
  return JSON.parse(row.record) as ImageRecord;
}

export function decodeName(row: Row): NameRecord {
  return JSON.parse(row.record) as NameRecord;
}

export function contentBytesOf({ layers }: Pick<ImageForm, "layers">): number {
  return layers.reduce((sum, layer) => sum + layer.contentBytes, 0);
}

/** The size of an image's platforms: layers that several of them have count once. */
export function layerBytesOf(platforms: readonly ImageRecord[]): number {
  if (platforms.length === 1) return contentBytesOf(platforms[0] as ImageRecord);
  const sizes = platforms.flatMap(({ layers }) =>
    layers.map(({ diffId, contentBytes }) => [diffId, contentBytes] as const),
  );
  return [...new Map(sizes).values()].reduce((sum, bytes) => sum + bytes, 0);
}

export function formsOf(image: ImageRecord): readonly ImageForm[] {
  return [image, ...(image.others ?? [])];
}

/** The digests that are targets of names for this form: its manifest and its indexes. */
export function targetsOf({ manifest, indexes }: ImageForm): readonly Digest[] {
  return [manifest.digest, ...indexes];
}

/** The form for a name with this target. */
export function formUnder(image: ImageRecord, target: Digest): ImageForm {
  return formsOf(image).find((form) => targetsOf(form).includes(target)) ?? image;
}
