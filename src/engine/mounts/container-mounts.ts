/** A new container's mounts: chooses names for its volumes, creates the volumes, and fills them. */

import { OrlopError } from "../../base/errors.ts";
import type { ContainerId } from "../../base/id.ts";
import { point } from "../../base/point.ts";
import { StepFailure } from "../../kernel/executor.ts";
import { planCopyUp } from "../../runtime/plan-copy-up.ts";
import type { ContainerRecord } from "../containers/container-record.ts";
import { chooseRoot, planPristineRoot } from "../containers/container-root.ts";
import type { EngineParts } from "../engine-parts.ts";
import { isHostImage } from "../images/host-image.ts";
import { inventVolumeName, type Volumes } from "../volumes/volumes.ts";
import { anonymousOf, type ChosenMount, type MountedImage, type MountPoint, type VolumePoint } from "./mount-point.ts";
import { mountsOf } from "./spec-mounts.ts";

/** The mounts of a request, with names for all volumes. Changes nothing. @throws {OrlopError} a mount cannot be provided */
export function chooseMounts(
  { body, image }: Pick<ContainerRecord, "body" | "image">,
  { volumes, images }: Pick<EngineParts, "volumes" | "images">,
  mountsFrom: (container: string) => readonly MountPoint[],
): ChosenMount[] {
  const targets = [...Object.keys(body.Volumes), ...(image?.config.Volumes ?? [])];
  return mountsOf(body.HostConfig, targets, mountsFrom).map((mount): ChosenMount => {
    if (mount.type === "image") return { ...mount, image: mount.image ?? findImage(mount.source, images) };
    if (mount.type !== "volume" || mount.making === undefined) return mount;
    volumes.check({ name: mount.name, ...mount.making });
    return { ...mount, name: mount.name || inventVolumeName() };
  });
}

/** @throws {OrlopError} no_such_image; unknown_field for the image `host`, which has no layers */
function findImage(reference: string, { table }: EngineParts["images"]): MountedImage {
  if (isHostImage(reference)) throw OrlopError.of("unknown_field", { field: "a mount of the image host" });
  const { id, layers } = table.get(reference);
  return { id, layers: layers.map(({ diffId }) => diffId) };
}

/** The mounts for the container's record, without the instructions for creating volumes. */
export function withoutMaking(mounts: readonly ChosenMount[]): MountPoint[] {
  return mounts.map(({ making: _, ...mount }) => mount);
}

/** Creates the volumes that do not exist; the container refers to all of them from then on. If it fails, nothing is left. */
export async function prepareVolumes(
  record: ContainerRecord,
  mounts: readonly ChosenMount[],
  parts: EngineParts,
): Promise<void> {
  const { volumes } = parts;
  try {
    await makeVolumes(record.id, mounts, volumes);
    for (const mount of mounts) if (mount.type === "volume" && mount.copyUp) await fillVolume(record, mount, parts);
  } catch (error) {
    await unmakeVolumes(record.id, mounts, volumes);
    throw error;
  }
}

async function makeVolumes(id: ContainerId, mounts: readonly ChosenMount[], volumes: Volumes): Promise<void> {
  for (const mount of mounts) {
    if (mount.type !== "volume") continue;
    const making = mount.making ?? { driver: "local", options: null, labels: null };
    const owner = mount.anonymous && mount.making !== undefined ? { madeFor: id } : {};
    await volumes.create({ name: mount.name, ...making, ...owner }, id);
    point("container.create.volume");
  }
}

/** Fills empty volumes with what the image has at their mount points. @throws {OrlopError} volume_over_file, volume_fill_failed */
async function fillVolume(record: ContainerRecord, mount: VolumePoint, parts: EngineParts): Promise<void> {
  const { volumes, executor, places } = parts;
  const choice = chooseRoot(record.body, record.image, places);
  await volumes.get(mount.name).fill(async (target) => {
    const plan = planCopyUp({ root: planPristineRoot(choice, places), source: mount.destination, target });
    try {
      using link = await executor.startMonitor(plan, { go: true });
      await link.started;
      await link.exited;
    } catch (error) {
      if (target !== volumes.get(mount.name).path) await parts.removeFiles([target]);
      throw explain(error, mount);
    }
  }, volumes.directories);
}

function explain(error: unknown, { name, destination }: VolumePoint): unknown {
  if (!(error instanceof StepFailure)) return error;
  const { step, errno, detail } = error;
  if (step?.op === "root-copy" && errno === "ENOTDIR" && detail === destination)
    return OrlopError.of("volume_over_file", { path: destination }, error);
  return OrlopError.of("volume_fill_failed", { name, reason: `${errno}${detail === "" ? "" : `: ${detail}`}` }, error);
}

/** Removes the anonymous volumes that `prepareVolumes` has created. */
export async function unmakeVolumes(id: ContainerId, mounts: readonly ChosenMount[], volumes: Volumes): Promise<void> {
  const made = mounts.filter((mount) => mount.making !== undefined);
  await volumes.forget(id, anonymousOf(made));
}
