/** How much disk space a container's files take. */

import type { EngineParts } from "../engine-parts.ts";
import { contentBytesOf } from "../images/image-record.ts";
import type { Container } from "./container.ts";

export interface ContainerSize {
  /** Files that the container has written. */
  readonly changesBytes: number;
  /** `changesBytes` and the image. */
  readonly rootBytes: number;
}

/** Walks the container's directories, which takes time in proportion to their size. Changes kept in memory are not counted. */
export async function measureContainer(
  { executor, images }: EngineParts,
  container: Container,
): Promise<ContainerSize> {
  const used = container.record.image;
  const image = used === undefined ? undefined : images.table.image(used.id);
  const imageBytes = image === undefined ? 0 : contentBytesOf(image);
  const { Rootfs } = container.body.HostConfig;
  const values = await executor.run([
    { op: "usage", paths: [container.places.layers], why: "what the container has written" },
    ...(Rootfs === "" ? [] : [{ op: "usage", paths: [Rootfs], why: "the root that it was given" } as const]),
  ]);
  const size = (step: number): number => Number(new TextDecoder().decode(values.get(step)) || 0);
  return { changesBytes: size(0), rootBytes: size(0) + size(1) + imageBytes };
}
