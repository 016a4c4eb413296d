/** An optional limit for the disk space of images: when a new image exceeds it, the least recently used ones are removed. */

import { log } from "../../base/log.ts";
import { parseSize } from "../../base/size.ts";
import type { Digest } from "../../spec/digest.ts";
import { usageOfImages } from "../disk-usage.ts";
import type { ImageRecord } from "./image-record.ts";
import type { Images } from "./images.ts";
import { endPlatforms } from "./remove-image.ts";

const variable = "ORLOP_IMAGE_BUDGET";

/** Bytes; undefined: no limit. @throws {OrlopError} bad_value */
export function budgetOf(environment: Readonly<Record<string, string | undefined>>): number | undefined {
  const text = environment[variable];
  return text === undefined || text === "" ? undefined : parseSize(text, variable);
}

/** Removes images until the rest fits. Images that containers use, and new ones, are kept. */
export async function keepBudget(images: Images, newest: readonly Digest[]): Promise<void> {
  const budget = images.budgetBytes;
  if (budget === undefined) return;
  for (;;) {
    const { layerBytes, blobBytes } = await usageOfImages(images);
    if (layerBytes + blobBytes <= budget) return;
    const oldest = images.table
      .all()
      .filter(({ id }) => !newest.includes(id) && images.users.usersOf(id).length === 0)
      .reduce<ImageRecord | undefined>(
        (first, one) => (first === undefined || usedAt(one) < usedAt(first) ? one : first),
        undefined,
      );
    if (oldest === undefined) {
      log("warn", `images take ${layerBytes + blobBytes} bytes, over ${variable}, and all of them are in use`);
      return;
    }
    log("info", `image ${oldest.id} goes: images take more than ${variable}`);
    await endPlatforms(images, [oldest]);
  }
}

function usedAt({ usedMs, addedMs }: ImageRecord): number {
  return Math.max(usedMs, addedMs);
}
