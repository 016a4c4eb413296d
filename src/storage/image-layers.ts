/** An image's root: a copy-on-write view of its merged layers. */

import { OrlopError } from "../base/errors.ts";
import type { RootSource } from "../kernel/root-source.ts";
import { planOverlayRoot, type Upper } from "./upper.ts";

/** Docker's limit. The executor's is higher, for the bottom layer, and for the changes when the root is only read. */
const layersMax = 127;

export interface ImageLayersInput {
  /** The layers' directories, topmost first. */
  readonly layers: readonly string[];
  /** The bottom layer, below the image's own: what every container has even if its image does not. */
  readonly bottom: string;
  /** The image's name, for reasons of steps. */
  readonly name: string;
  /** The host directory on which the container's process mounts its root. */
  readonly mountPoint: string;
  readonly upper: Upper;
}

/** @throws {OrlopError} too_many_layers */
export function planImageLayers({ layers, bottom, name, mountPoint, upper }: ImageLayersInput): RootSource {
  // Overlay takes each directory once. Of a layer that occurs twice, only the topmost occurrence can be visible.
  const distinct = [...new Set(layers)];
  if (distinct.length > layersMax)
    throw OrlopError.of("too_many_layers", { name, count: distinct.length, most: layersMax });
  return planOverlayRoot(upper, mountPoint, { lowers: [...distinct, bottom], shown: `the image ${name}` });
}
