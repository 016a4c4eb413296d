/** The images that were made from another one, for `ps --filter ancestor`. */

import { isDeepStrictEqual } from "node:util";
import type { Digest } from "../../spec/digest.ts";
import type { HistoryEntry } from "../../spec/oci-image.ts";
import type { ImageRecord } from "./image-record.ts";

export interface Kinship {
  readonly images: readonly ImageRecord[];
  /** The history of an image's configuration. */
  history(image: ImageRecord): Promise<readonly HistoryEntry[]>;
}

/**
 * The image itself, and images that have its layers with others on top. An image with the same layers counts if its history begins with
 * this one's and is longer: the further steps changed the configuration only.
 */
export async function descendantsOf(ancestor: ImageRecord, { images, history }: Kinship): Promise<ReadonlySet<Digest>> {
  const found = new Set([ancestor.id]);
  const depth = ancestor.layers.length;
  if (depth === 0) return found; // without layers it would be an ancestor of every image
  for (const image of images) {
    if (!ancestor.layers.every(({ diffId }, at) => image.layers[at]?.diffId === diffId)) continue;
    if (image.layers.length > depth || wentOn(await history(ancestor), await history(image))) found.add(image.id);
  }
  return found;
}

function wentOn(before: readonly HistoryEntry[], after: readonly HistoryEntry[]): boolean {
  return before.length > 0 && after.length > before.length && isDeepStrictEqual(after.slice(0, before.length), before);
}
