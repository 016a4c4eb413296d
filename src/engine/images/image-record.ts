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

export interface ImageRecord {
  /** The digest of its configuration. */
  readonly id: Digest;
  /** Of that configuration. */
  readonly configBytes: number;
  readonly manifest: { readonly mediaType: string; readonly digest: Digest; readonly sizeBytes: number };
  /** Indexes that led to the manifest: kept as they are, so that a push can send the same. */
  readonly indexes: readonly Digest[];
  /** The lowest first. */
  readonly layers: readonly ImageLayer[];
  readonly platform: Platform;
  /** As the configuration has it: RFC 3339. */
  readonly created?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Unix time: when it came, when it was last run. */
  readonly addedMs: number;
  readonly usedMs: number;
}

/** A name with a tag or a digest, and the image that it leads to. */
export interface NameRecord {
  /** Whole: `docker.io/library/alpine:3.20`, `docker.io/library/alpine@sha256:…`. */
  readonly reference: string;
  readonly image: Digest;
  /** What a registry's tag led to when it was pulled: an index or a manifest. */
  readonly target: Digest;
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

export function contentBytesOf({ layers }: ImageRecord): number {
  return layers.reduce((sum, layer) => sum + layer.contentBytes, 0);
}
