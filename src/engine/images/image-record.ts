/** What is written down of an image, and of the names that lead to it. */

import type { Digest } from "../../spec/digest.ts";
import type { Platform } from "../../spec/platform.ts";
import type { Row } from "../../store/rows.ts";

/** One layer, as it is stored twice: as it came, and unpacked. */
export interface ImageLayer {
  /** Of the blob in the content store. */
  readonly digest: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** Of the tar in it: the name of its directory. */
  readonly diffId: Digest;
  /** Of all its files together. */
  readonly contentBytes: number;
  /** See LayerFacts. */
  readonly hidesEtc: boolean;
}

/** An image as it came. Compressed in another way, or described in another, it has another manifest, and the same id. */
export interface ImageForm {
  readonly manifest: { readonly mediaType: string; readonly digest: Digest; readonly sizeBytes: number };
  /** Indexes that lead to the manifest: kept as they are, so that a push can send the same. */
  readonly indexes: readonly Digest[];
  /** The lowest first. */
  readonly layers: readonly ImageLayer[];
  /** Blobs of what its indexes name besides and came with it: statements about it. */
  readonly beside?: readonly { readonly digest: Digest; readonly sizeBytes: number; readonly isManifest: boolean }[];
}

/** For one platform; a name can lead to several of them. */
export interface ImageRecord extends ImageForm {
  /** The digest of its configuration. */
  readonly id: Digest;
  /** Of that configuration. */
  readonly configBytes: number;
  /** Other forms of it that names lead to. */
  readonly others?: readonly ImageForm[];
  readonly platform: Platform;
  /** As the configuration has it: RFC 3339. */
  readonly created?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Unix time: when it came, when it was last run. */
  readonly addedMs: number;
  readonly usedMs: number;
}

/** A name with a tag or a digest, and what it leads to. */
export interface NameRecord {
  /** Whole: `docker.io/library/alpine:3.20`, `docker.io/library/alpine@sha256:…`. */
  readonly reference: string;
  /** An index as it came, of whose platforms any number is here; or a manifest. */
  readonly target: Digest;
  /** What it means where no platform is asked for: of those that are here the one that suits this machine best. */
  readonly image: Digest;
  readonly taggedMs: number;
}

export function encodeImage(record: ImageRecord): Row {
  return { kind: "image", id: record.id, name: record.id, record: JSON.stringify(record) };
}

export function encodeName(record: NameRecord): Row {
  return { kind: "tag", id: record.reference, name: record.reference, record: JSON.stringify(record) };
}

/** Only what the functions above wrote is in the database, so its word is taken. */
export function decodeImage(row: Row): ImageRecord {
  return JSON.parse(row.record) as ImageRecord;
}

export function decodeName(row: Row): NameRecord {
  return JSON.parse(row.record) as NameRecord;
}

export function contentBytesOf({ layers }: Pick<ImageForm, "layers">): number {
  return layers.reduce((sum, layer) => sum + layer.contentBytes, 0);
}

/** Of an image's platforms together: layers that several have count once. */
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

/** What a name can lead to and mean this form. */
export function targetsOf({ manifest, indexes }: ImageForm): readonly Digest[] {
  return [manifest.digest, ...indexes];
}

/** The form that a name with this target means. */
export function formUnder(image: ImageRecord, target: Digest): ImageForm {
  return formsOf(image).find((form) => targetsOf(form).includes(target)) ?? image;
}
