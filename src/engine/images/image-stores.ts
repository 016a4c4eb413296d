/** Images on the disk: blobs, unpacked layers, downloads, and the threads that unpack. */

import { chmodSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { ArrivingBlob } from "../../images/arriving-blob.ts";
import { BlobFetcher } from "../../images/blob-fetcher.ts";
import { ContentStore } from "../../images/content-store.ts";
import type { Leases } from "../../images/leases.ts";
import type { LayerLimits } from "../../images/plan-layer.ts";
import { UnpackPool } from "../../images/unpack-pool.ts";
import { connectUnix } from "../../kernel/connect-unix.ts";
import type { Executor } from "../../kernel/executor.ts";
import { PlanStream } from "../../kernel/plan-stream.ts";
import { type Digest, hexOf } from "../../spec/digest.ts";
import type { Descriptor } from "../../spec/oci-image.ts";
import { LayerDirectories, type LayerFacts } from "../../storage/layer-directories.ts";
import type { Places } from "../places.ts";

export class ImageStores {
  readonly content: ContentStore;
  readonly layers: LayerDirectories;
  /** Leases on blobs in use. */
  readonly leases: Leases;
  /** Leases on unpacked layers in use, by diff id. */
  readonly layerLeases: Leases;
  readonly fetcher: BlobFetcher;
  readonly #pool: UnpackPool;

  private constructor({ places, content, layers, leases, limits, writeBack }: Opened) {
    this.content = content;
    this.layers = layers;
    this.leases = leases.blobs;
    this.layerLeases = leases.layers;
    this.fetcher = new BlobFetcher(content);
    this.#pool = new UnpackPool({ controlSocket: `${places.runDir}/control.sock`, limits, writeBack });
  }

  /** Opens the stores, which are made if they are missing; removes layers that an earlier engine has unpacked partly. */
  static async open(
    places: Places,
    executor: Executor,
    leases: ImageLeases,
    limits: LayerLimits,
  ): Promise<ImageStores> {
    const removeTree = async (path: string): Promise<void> => {
      await executor.run([{ op: "remove", path, why: "a layer's files, which nothing needs any more" }]);
    };
    const openPlan = async (): Promise<PlanStream> =>
      new PlanStream(await connectUnix(`${places.runDir}/control.sock`));
    const content = await ContentStore.open(`${places.stateDir}/content`, openPlan);
    const spread = async (path: string): Promise<void> => {
      await executor.run([{ op: "spread", path, why: "what a removed layer leaves free is in no new one's way" }]);
    };
    const layers = await LayerDirectories.open(`${places.stateDir}/layers`, { removeTree, spread });
    await mkdir(nothingIn(places), { recursive: true, mode: 0o755 });
    const why = "what is written meanwhile goes to the disk, so that the sync at the end is short";
    const writeBack = async (): Promise<void> => {
      await executor.run([
        { op: "layer", why, path: `${places.stateDir}/layers` },
        { op: "layer-end", why, sync: 1 },
      ]);
    };
    return new ImageStores({ places, content, layers, leases, limits, writeBack });
  }

  /** Settles when every blob and layer that exists by now is on the disk. Needed before a durable record names them. */
  async sync(): Promise<void> {
    await Promise.all([this.content.sync(), this.layers.sync()]);
  }

  /** Announces layers that may have to be unpacked soon, so that a thread is started ahead if one will be needed. */
  expectLayers(layers: readonly Pick<Descriptor, "digest" | "size">[]): Disposable {
    const missing = layers.filter(({ digest }) => !this.content.hasNow(digest));
    return this.#pool.expect(missing.reduce((sum, { size }) => sum + size, 0));
  }

  /**
   * Unpacks a layer whose blob is in the content store or arriving there; does nothing if it is unpacked already.
   * The layer is not used before its blob is verified.
   */
  ensureLayer({ digest, size, diffId, arriving }: LayerToUnpack, options: UnpackOptions = {}): Promise<LayerFacts> {
    const blob = arriving ?? { path: this.content.pathOf(digest), sizeBytes: size };
    return this.layers.ensure(diffId, async (directory) => {
      const isBlobHashed = arriving !== undefined && digest === diffId; // as part of `verified`
      const layer = await this.#pool.unpack({ blob, diffId, isBlobHashed, directory, ...options });
      await arriving?.verified;
      return layer;
    });
  }
}

export interface ImageLeases {
  readonly blobs: Leases;
  readonly layers: Leases;
}

interface Opened {
  readonly places: Places;
  readonly content: ContentStore;
  readonly layers: LayerDirectories;
  readonly leases: ImageLeases;
  readonly limits: LayerLimits;
  readonly writeBack: () => Promise<void>;
}

export interface LayerToUnpack {
  /** Of the blob. */
  readonly digest: Digest;
  readonly size: number;
  readonly diffId: Digest;
  /** The blob is not in the store yet. */
  readonly arriving?: ArrivingBlob;
}

export interface UnpackOptions {
  /** Bytes of the blob that were read. */
  readonly onProgress?: (doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

/** A layer's directory, which may not exist. */
export function layerDirectory({ stateDir }: Places, diffId: Digest): string {
  return `${stateDir}/layers/${hexOf(diffId)}`;
}

/** An empty directory, which stands for an image without layers when it is mounted. */
export function nothingIn({ stateDir }: Places): string {
  return `${stateDir}/layers/nothing`;
}

/** The lowest layer of every container's root: files that Docker adds to each container, here shared by all. */
export function bottomIn({ stateDir }: Places): string {
  return `${stateDir}/layers/bottom`;
}

/** Mount points that every container needs. Made in each container's own upper directory, they were a fifth of its inodes. */
const mountPoints = { directories: ["dev", "proc", "sys"], files: ["etc/hosts", "etc/hostname", "etc/resolv.conf"] };

/**
 * Programs detect a container by /.dockerenv; Java 8 and others read /etc/mtab.
 *
 * The layers' directory is for root only (CVE-2021-41091's kind): images may contain set-user-id programs, which local users could run,
 * and directories that everybody may write.
 */
export function makeBottom(places: Places): void {
  const path = bottomIn(places);
  const layers = dirname(path);
  mkdirSync(layers, { recursive: true, mode: 0o700 });
  chmodSync(layers, 0o700); // earlier versions made it 0755
  const isThere = (name: string): boolean => lstatSync(`${path}/${name}`, { throwIfNoEntry: false }) !== undefined;
  for (const name of ["etc", ...mountPoints.directories])
    mkdirSync(`${path}/${name}`, { recursive: true, mode: 0o755 });
  if (!isThere(".dockerenv")) writeFileSync(`${path}/.dockerenv`, "", { mode: 0o755 });
  if (!isThere("etc/mtab")) symlinkSync("/proc/mounts", `${path}/etc/mtab`);
  for (const name of mountPoints.files) if (!isThere(name)) writeFileSync(`${path}/${name}`, "", { mode: 0o644 });
}
