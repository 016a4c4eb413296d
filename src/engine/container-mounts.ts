/** A new container's mounts: names for its volumes, the volumes themselves, and what they begin with. */

import type { ContainerId } from "../base/id.ts";
import { point } from "../base/point.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { EngineParts } from "./engine-parts.ts";
import { type AskedMount, anonymousOf, type MountPoint } from "./mount-point.ts";
import { mountsOf } from "./spec-mounts.ts";
import { inventVolumeName, type Volumes } from "./volumes.ts";

/** What is asked for, each volume with a name. Changes nothing. @throws {OrlopError} what cannot be given */
export function chooseMounts(
  { body, image }: Pick<ContainerRecord, "body" | "image">,
  volumes: Volumes,
  mountsFrom: (container: string) => readonly MountPoint[],
): AskedMount[] {
  const targets = [...Object.keys(body.Volumes), ...(image?.config.Volumes ?? [])];
  return mountsOf(body.HostConfig, targets, mountsFrom).map((mount): AskedMount => {
    if (mount.type !== "volume" || mount.making === undefined) return mount;
    volumes.check({ name: mount.name, ...mount.making });
    return { ...mount, name: mount.name || inventVolumeName() };
  });
}

/** Without how to make volumes: for the record. */
export function withoutMaking(mounts: readonly AskedMount[]): MountPoint[] {
  return mounts.map(({ making: _, ...mount }) => mount);
}

/** Makes the volumes that are not there; all of them are the container's from then on. When that fails, nothing is left. */
export async function prepareVolumes(
  record: ContainerRecord,
  mounts: readonly AskedMount[],
  { volumes }: EngineParts,
): Promise<void> {
  try {
    await makeVolumes(record.id, mounts, volumes);
  } catch (error) {
    await unmakeVolumes(record.id, mounts, volumes);
    throw error;
  }
}

async function makeVolumes(id: ContainerId, mounts: readonly AskedMount[], volumes: Volumes): Promise<void> {
  for (const mount of mounts) {
    if (mount.type !== "volume") continue;
    const making = mount.making ?? { driver: "local", options: {}, labels: null };
    const owner = mount.anonymous && mount.making !== undefined ? { madeFor: id } : {};
    await volumes.create({ name: mount.name, ...making, ...owner }, id);
    point("container.create.volume");
  }
}

/** What `prepareVolumes` made goes again, but for volumes that have a name. */
export async function unmakeVolumes(id: ContainerId, mounts: readonly AskedMount[], volumes: Volumes): Promise<void> {
  const made = mounts.filter((mount) => mount.making !== undefined);
  await volumes.forget(id, anonymousOf(made));
}
