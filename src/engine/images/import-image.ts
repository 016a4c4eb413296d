/** `import`: an image of one layer, from an archive of a root file system. */

import { describeLayer, diffIdOf } from "../../images/layer-blob.ts";
import { applyChanges } from "../../spec/image-change.ts";
import type { Platform } from "../../spec/platform.ts";
import { familiarReference, type Reference } from "../../spec/reference.ts";
import { addMadeImage } from "./add-image.ts";
import { encodeImageConfig } from "./encode-config.ts";
import type { ImageRecord } from "./image-record.ts";
import type { Images } from "./images.ts";

export interface ImportRequest {
  /** undefined: the image has no name. */
  readonly name: Reference | undefined;
  readonly message: string;
  /** Dockerfile instructions. */
  readonly changes: readonly string[];
  readonly platform: Platform;
}

/**
 * @param archive a tar, compressed or not; stored unchanged
 * @throws {OrlopError} bad_change, unsupported_compression, bad_tar …
 */
export async function importImage(
  images: Images,
  archive: AsyncIterable<Uint8Array>,
  { name, message, changes, platform }: ImportRequest,
): Promise<ImageRecord> {
  const config = applyChanges({}, changes);
  const { content, leases } = await images.stores();
  using lease = leases.open();
  const blob = await content.add(archive, (digest) => lease.hold([digest]));
  const layer = await describeLayer(blob, content);
  const diffId = await diffIdOf(layer, content);
  const comment = message === "" ? "imported from a tar archive" : message;
  const history = [{ created: new Date().toISOString(), comment }];
  const encoded = encodeImageConfig({ platform, config, author: "", diffIds: [diffId], history });
  const names = name === undefined ? [] : [name];
  const image = await addMadeImage(images, { config: encoded, layers: [layer], names, lease });
  for (const one of names) images.publish("tag", image.id, familiarReference(one), image.labels);
  images.publish("import", image.id, image.id, image.labels);
  return image;
}
