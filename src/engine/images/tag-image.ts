/** `tag`: another name for an image, and for all of its platforms. */

import { OrlopError } from "../../base/errors.ts";
import { familiarReference, type Reference } from "../../spec/reference.ts";
import { isHostImage } from "./host-image.ts";
import type { ImageRecord } from "./image-record.ts";
import { targetOf } from "./image-table.ts";
import { nameKey } from "./image-words.ts";
import type { Images } from "./images.ts";

/** @throws {OrlopError} no_such_image, not_an_image_name, image_built_in */
export async function tagImage(images: Images, written: string, reference: Reference): Promise<void> {
  if (reference.digest !== undefined) throw OrlopError.of("not_an_image_name", { name: familiarReference(reference) });
  const name = familiarReference(reference);
  if (isHostImage(written) || isHostImage(name)) throw OrlopError.of("image_built_in", { name: "host", doing: "tag" });
  const { table } = images;
  let tagged: ImageRecord | undefined;
  await images.commit(() => {
    const image = table.get(written);
    const target = table.find(written)?.name?.target ?? targetOf(table, image);
    tagged = image;
    return { putNames: [{ reference: nameKey(reference), target, image: image.id, taggedMs: Date.now() }] };
  });
  if (tagged !== undefined) images.publish("tag", tagged.id, name, tagged.labels);
}
