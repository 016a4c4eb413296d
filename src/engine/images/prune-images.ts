/** `image prune`: removes unused images, and everything on the disk that no image refers to. */

import type { ImageRecord } from "./image-record.ts";
import type { Images } from "./images.ts";
import { reclaimAll } from "./reclaim.ts";
import { endPlatforms, type Removal } from "./remove-image.ts";

/** @param isChosen which of the images that no container uses */
export async function pruneImages(images: Images, isChosen: (image: ImageRecord) => boolean): Promise<Removal> {
  const removals: Removal[] = [];
  for (const image of images.table.all())
    if (images.users.usersOf(image.id).length === 0 && isChosen(image))
      removals.push(await endPlatforms(images, [image]));
  const strays = await reclaimAll(images);
  const bytes = removals.reduce((sum, removal) => sum + removal.bytes, strays.bytes);
  images.publishPruned(bytes);
  return {
    untagged: removals.flatMap(({ untagged }) => untagged),
    deleted: removals.flatMap(({ deleted }) => deleted),
    bytes,
  };
}
