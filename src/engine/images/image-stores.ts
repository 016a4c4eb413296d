/** Where images lie on the disk, and who works there: blobs, unpacked layers, downloads, unpacking threads. */

import { mkdir } from "node:fs/promises";
import { BlobFetcher } from "../../images/blob-fetcher.ts";
import { ContentStore } from "../../images/content-store.ts";
import type { Leases } from "../../images/leases.ts";
import { UnpackPool } from "../../images/unpack-pool.ts";
import type { Executor } from "../../kernel/executor.ts";
import { type Digest, hexOf } from "../../spec/digest.ts";
import { LayerDirectories, type LayerFacts } from "../../storage/layer-directories.ts";
import type { Places } from "../places.ts";

export class ImageStores {
  readonly content: ContentStore;
  readonly layers: LayerDirectories;
  /** Blobs that somebody works with. */
  readonly leases: Leases;
  /** Unpacked layers that somebody works with, by their diff id. */
  readonly layerLeases: Leases;
  readonly fetcher: BlobFetcher;
  readonly #pool: UnpackPool;

  private constructor(places: Places, content: ContentStore, layers: LayerDirectories, leases: ImageLeases) {
    this.content = content;
    this.layers = layers;
    this.leases = leases.blobs;
    this.layerLeases = leases.layers;
    this.fetcher = new BlobFetcher(content);
    this.#pool = new UnpackPool(`${places.runDir}/control.sock`);
  }

  /** Opens both, made when missing; removes layers that an earlier engine unpacked half. */
  static async open(places: Places, executor: Executor, leases: ImageLeases): Promise<ImageStores> {
    const removeTree = async (path: string): Promise<void> => {
      await executor.run([{ op: "remove", path, why: "a layer's files, which nothing needs any more" }]);
    };
    const content = await ContentStore.open(`${places.stateDir}/content`);
    const layers = await LayerDirectories.open(`${places.stateDir}/layers`, removeTree);
    await mkdir(nothingIn(places), { recursive: true, mode: 0o755 });
    return new ImageStores(places, content, layers, leases);
  }

  /** Unpacks a layer whose blob is in the content store; at once when it is unpacked already. */
  ensureLayer(layer: LayerToUnpack, options: UnpackOptions = {}): Promise<LayerFacts> {
    const { digest, diffId } = layer;
    return this.layers.ensure(diffId, (directory) =>
      this.#pool.unpack({ blob: this.content.pathOf(digest), diffId, directory, ...options }),
    );
  }
}

export interface ImageLeases {
  readonly blobs: Leases;
  readonly layers: Leases;
}

export interface LayerToUnpack {
  readonly digest: Digest;
  readonly diffId: Digest;
}

export interface UnpackOptions {
  /** Bytes of the blob that were read. */
  readonly onProgress?: (doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

/** A layer's directory, which need not be there. */
export function layerDirectory({ stateDir }: Places, diffId: Digest): string {
  return `${stateDir}/layers/${hexOf(diffId)}`;
}

/** An empty directory: the root of an image without layers. */
export function nothingIn({ stateDir }: Places): string {
  return `${stateDir}/layers/nothing`;
}
