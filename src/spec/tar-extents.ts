/** Where a file's content lies in it: sparse files have holes between their extents. */

import type { Extent } from "./tar-entry.ts";
import { TarFault } from "./tar-header.ts";

export const extentsMax = 65_536;

/** @param stored bytes of content in the archive. @throws {TarFault} the map does not fit the file, or the content */
export function checkExtents(extents: readonly Extent[], size: number, stored: number): void {
  if (extents.length > extentsMax) throw new TarFault(`a sparse file has over ${extentsMax} extents`);
  let end = 0;
  let sum = 0;
  for (const extent of extents) {
    if (extent.offset < end) throw new TarFault("a sparse map is out of order");
    end = extent.offset + extent.size;
    sum += extent.size;
  }
  if (end > size) throw new TarFault("a sparse map goes past the file's end");
  if (sum !== stored) throw new TarFault("a sparse map does not match the content's size");
}

export interface ContentSink {
  /** A piece of the entry's content, valid until this returns. offset: in the file, holes counted. */
  data(chunk: Uint8Array, offset: number): void;
}

/** Passes content on, cut at the extents' borders, each piece with its offset in the file. */
export class ExtentWriter {
  readonly #extents: readonly Extent[];
  /** The extent that is being filled, and how much of it is. */
  #index = 0;
  #done = 0;

  constructor(extents: readonly Extent[]) {
    this.#extents = extents;
  }

  /** @throws {TarFault} there is more content than the extents take */
  pass(piece: Uint8Array, sink: ContentSink): void {
    let at = 0;
    while (at < piece.length) {
      const extent = this.#extents[this.#index];
      if (extent === undefined) throw new TarFault("a sparse file has more content than its map");
      const taken = Math.min(extent.size - this.#done, piece.length - at);
      if (taken > 0) sink.data(piece.subarray(at, at + taken), extent.offset + this.#done);
      at += taken;
      this.#done += taken;
      if (this.#done === extent.size) {
        this.#index++;
        this.#done = 0;
      }
    }
  }
}
