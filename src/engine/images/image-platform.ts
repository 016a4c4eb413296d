/** Chooses one of an image's platforms. The error for a platform that is not here lists those that are. */

import { OrlopError } from "../../base/errors.ts";
import { formatPlatform, hostPlatform, type Platform, platformDistance } from "../../spec/platform.ts";
import type { ImageRecord } from "./image-record.ts";
import type { ImageTable } from "./image-table.ts";
import { withTag } from "./image-words.ts";

interface OfPlatform {
  readonly platform: Platform;
}

/** The best match for a machine (by default this one); if none matches, the first. */
export function bestOf<T extends OfPlatform>(images: readonly T[], wanted: Platform = hostPlatform()): T {
  const [first] = images;
  if (first === undefined) throw new Error("there is always one");
  return nearest(images, wanted) ?? first;
}

function nearest<T extends OfPlatform>(images: readonly T[], wanted: Platform): T | undefined {
  const distance = ({ platform }: T): number => platformDistance(platform, wanted) ?? Number.POSITIVE_INFINITY;
  const best = images.reduce<T | undefined>(
    (found, one) => (found === undefined || distance(one) < distance(found) ? one : found),
    undefined,
  );
  return best === undefined || distance(best) === Number.POSITIVE_INFINITY ? undefined : best;
}

/**
 * @param written the image as the client has written it
 * @param wanted  undefined: the default platform of the name
 * @throws {OrlopError} no_such_image, platform_mismatch
 */
export function imageFor(table: ImageTable, written: string, wanted: Platform | undefined): ImageRecord {
  const image = table.get(written);
  return wanted === undefined ? image : among(table.allOf(written), written, wanted);
}

/** @throws {OrlopError} platform_mismatch */
export function among(images: readonly ImageRecord[], written: string, wanted: Platform): ImageRecord {
  const found = nearest(images, wanted);
  if (found !== undefined) return found;
  const platforms = images.map(({ platform }) => platform);
  throw mismatch(written, platforms, wanted);
}

/** @throws {OrlopError} platform_mismatch */
export function checkPlatform(written: string, offered: Platform, wanted: Platform | undefined): void {
  if (wanted !== undefined && platformDistance(offered, wanted) === undefined)
    throw mismatch(written, [offered], wanted);
}

export function mismatch(written: string, offered: readonly Platform[], wanted: Platform): OrlopError {
  return OrlopError.of("platform_mismatch", {
    reference: withTag(written),
    wanted: formatPlatform(wanted),
    actual: offered.map(formatPlatform).join(", "),
  });
}
