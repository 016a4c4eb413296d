/** Each image here is for one platform: what comes of an index is the part that was chosen. Who asks for another is told so. */

import { OrlopError } from "../../base/errors.ts";
import { formatPlatform, type Platform, platformDistance } from "../../spec/platform.ts";
import { withTag } from "./image-table.ts";

/**
 * @param written what the client called the image
 * @param wanted  undefined: whatever there is
 * @throws {OrlopError} platform_mismatch
 */
export function checkPlatform(written: string, offered: Platform, wanted: Platform | undefined): void {
  if (wanted !== undefined && platformDistance(offered, wanted) === undefined) throw mismatch(written, offered, wanted);
}

export function mismatch(written: string, offered: Platform, wanted: Platform): OrlopError {
  return OrlopError.of("platform_mismatch", {
    reference: withTag(written),
    wanted: formatPlatform(wanted),
    actual: formatPlatform(offered),
  });
}
