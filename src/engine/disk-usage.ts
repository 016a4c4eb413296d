/** The disk space that Orlop uses, by kind of object. Measured on each request. */

import type { Step } from "../kernel/step.ts";
import type { Digest } from "../spec/digest.ts";
import type { Container } from "./containers/container.ts";
import type { ContainerSize } from "./containers/container-size.ts";
import type { Containers } from "./containers/containers.ts";
import type { EngineParts } from "./engine-parts.ts";
import { type ImageRecord, layerBytesOf } from "./images/image-record.ts";
import type { ImageRow } from "./images/image-table.ts";
import type { Images } from "./images/images.ts";
import type { Volume } from "./volumes/volume.ts";
import type { Volumes } from "./volumes/volumes.ts";

export interface ImageUsage extends ImageRow {
  readonly bytes: number;
  /** The part of `bytes` in layers that other images have too. */
  readonly sharedBytes: number;
  readonly containers: number;
}

export interface ImagesUsage {
  readonly images: readonly ImageUsage[];
  /** All layers, each counted once. */
  readonly layerBytes: number;
  /** The compressed blobs, which are kept beside the unpacked layers. */
  readonly blobBytes: number;
}

export async function usageOfImages(images: Images): Promise<ImagesUsage> {
  const all = images.table.rows();
  const counts = new Map<Digest, { readonly bytes: number; users: number }>();
  for (const { platforms } of all)
    for (const [diffId, bytes] of distinctLayers(platforms)) {
      const known = counts.get(diffId) ?? { bytes, users: 0 };
      known.users++;
      counts.set(diffId, known);
    }
  const { content } = await images.stores();
  const blobs = await content.list();
  return {
    images: all.map((row) => ({
      ...row,
      bytes: layerBytesOf(row.platforms),
      sharedBytes: [...distinctLayers(row.platforms)].reduce(
        (sum, [diffId, bytes]) => sum + ((counts.get(diffId)?.users ?? 0) > 1 ? bytes : 0),
        0,
      ),
      containers: row.platforms.flatMap(({ id }) => images.users.usersOf(id)).length,
    })),
    layerBytes: [...counts.values()].reduce((sum, { bytes }) => sum + bytes, 0),
    blobBytes: blobs.reduce((sum, { size }) => sum + size, 0),
  };
}

function distinctLayers(platforms: readonly ImageRecord[]): Map<Digest, number> {
  return new Map(platforms.flatMap(({ layers }) => layers.map(({ diffId, contentBytes }) => [diffId, contentBytes])));
}

export function usageOfContainers(
  containers: Containers,
): Promise<{ readonly container: Container; readonly size: ContainerSize }[]> {
  return Promise.all(
    containers.all().map(async (container) => ({ container, size: await containers.sizeOf(container) })),
  );
}

/** Bytes in each volume's directory. */
export async function usageOfVolumes(
  volumes: Volumes,
  { executor }: Pick<EngineParts, "executor">,
): Promise<{ readonly volume: Volume; readonly bytes: number }[]> {
  const all = volumes.all();
  if (all.length === 0) return [];
  const steps = all.map(({ path }): Step => ({ op: "usage", paths: [path], why: "how much lies in a volume" }));
  const values = await executor.run(steps);
  return all.map((volume, i) => ({ volume, bytes: Number(new TextDecoder().decode(values.get(i)) || 0) }));
}
