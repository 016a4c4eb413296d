/** `tag`: another name for an image. */

import { OrlopError } from "../../base/errors.ts";
import { familiarReference, type Reference } from "../../spec/reference.ts";
import { isHostImage } from "./host-image.ts";
import { nameKey } from "./image-table.ts";
import type { Images } from "./images.ts";

/** @throws {OrlopError} no_such_image, not_an_image_name, image_built_in */
export async function tagImage(images: Images, written: string, reference: Reference): Promise<void> {
  if (reference.digest !== undefined) throw OrlopError.of("not_an_image_name", { name: familiarReference(reference) });
  const name = familiarReference(reference);
  if (isHostImage(written) || isHostImage(name)) throw OrlopError.of("image_built_in", { name: "host", doing: "tag" });
  const found = images.table.find(written);
  const image = found?.image ?? images.table.get(written);
  const target = found?.name?.target ?? image.manifest.digest;
  await images.commit({ putNames: [{ reference: nameKey(reference), image: image.id, target, taggedMs: Date.now() }] });
  images.tell("tag", image.id, name, image.labels);
}
