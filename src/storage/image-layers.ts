/** An image's root: a copy-on-write view of its layers' directories, one on top of the other. */

import { OrlopError } from "../base/errors.ts";
import type { RootSource } from "../kernel/root-source.ts";
import { planOverlayRoot, type Upper } from "./upper.ts";

/** Docker's; the executor's own limit leaves room for the bottom, and for the container's changes where it is looked at. */
const layersMax = 127;

export interface ImageLayersInput {
  /** The layers' directories, the topmost first. */
  readonly layers: readonly string[];
  /** What every container finds that its image does not have: below all of the image's own. */
  readonly bottom: string;
  /** The image, for people. */
  readonly name: string;
  /** The host directory that the container's process covers with its root. */
  readonly mountPoint: string;
  readonly upper: Upper;
}

/** @throws {OrlopError} too_many_layers */
export function planImageLayers({ layers, bottom, name, mountPoint, upper }: ImageLayersInput): RootSource {
  // Overlay takes a directory once: of one that comes again, all that can be seen is its topmost place.
  const distinct = [...new Set(layers)];
  if (distinct.length > layersMax)
    throw OrlopError.of("too_many_layers", { name, count: distinct.length, most: layersMax });
  return planOverlayRoot(upper, mountPoint, { lowers: [...distinct, bottom], shown: `the image ${name}` });
}
