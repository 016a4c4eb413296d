/** Which images were made from another one: what Docker's `ps --filter ancestor` means. */

import { isDeepStrictEqual } from "node:util";
import type { Digest } from "../../spec/digest.ts";
import type { HistoryEntry } from "../../spec/oci-image.ts";
import type { ImageRecord } from "./image-record.ts";

export interface Kinship {
  readonly images: readonly ImageRecord[];
  /** The steps that an image was made in. */
  history(image: ImageRecord): Promise<readonly HistoryEntry[]>;
}

/**
 * The image itself, and those that have its layers with more on top. One with the same layers was made from it if it was made in
 * the same steps and then more: such a step changed the configuration alone.
 */
export async function descendantsOf(ancestor: ImageRecord, { images, history }: Kinship): Promise<ReadonlySet<Digest>> {
  const found = new Set([ancestor.id]);
  const depth = ancestor.layers.length;
  if (depth === 0) return found; // it is below everything
  for (const image of images) {
    if (!ancestor.layers.every(({ diffId }, at) => image.layers[at]?.diffId === diffId)) continue;
    if (image.layers.length > depth || wentOn(await history(ancestor), await history(image))) found.add(image.id);
  }
  return found;
}

function wentOn(before: readonly HistoryEntry[], after: readonly HistoryEntry[]): boolean {
  return before.length > 0 && after.length > before.length && isDeepStrictEqual(after.slice(0, before.length), before);
}
