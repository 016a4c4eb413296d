/** `rmi`: names go first, the image with its last one; what containers use stays, in Docker's order and words (moby ImageDelete). */

import { createHash } from "node:crypto";
import { OrlopError } from "../../base/errors.ts";
import { type Digest, digestOfHex, hexOf } from "../../spec/digest.ts";
import { familiarReference, parseReference } from "../../spec/reference.ts";
import { isHostImage } from "./host-image.ts";
import type { ImageRecord, NameRecord } from "./image-record.ts";
import type { Images } from "./images.ts";
import { type Reclaimed, reclaimImages } from "./reclaim.ts";
import { shortId } from "./short-id.ts";

export interface Removal {
  readonly untagged: readonly string[];
  /** Ids: the image's, then its layers' whose files went (as chains, which is how Docker names layers). */
  readonly deleted: readonly Digest[];
  readonly bytes: number;
}

export interface RemovalRequest {
  readonly written: string;
  readonly force: boolean;
}

/** @throws {OrlopError} no_such_image, image_name_used, image_running, image_stopped_user, image_names */
export async function removeImage(images: Images, { written, force }: RemovalRequest): Promise<Removal> {
  if (isHostImage(written)) throw OrlopError.of("image_built_in", { name: "host", doing: "remove" });
  const image = images.table.get(written);
  const { name } = images.table.find(written) ?? {};
  const names = images.table.namesOf(image.id);
  if (name !== undefined) {
    if (!force && isOneName(names)) checkNoContainer(images, image, written);
    const untagged = [name, ...digestsLeft(name, names)];
    if (untagged.length < names.length || blocks(images, image, force)) return endNames(images, image, untagged);
    return endImage(images, image, [name]);
  }
  if (!force || images.users.usersOf(image.id).some(({ isRunning }) => isRunning)) checkUnused(images, image);
  if (!force && !isOneName(names)) throw OrlopError.of("image_names", { image: shortId(image.id) });
  return endImage(images, image);
}

/**
 * Removes the image and every name of it. The caller has seen to it that it may go.
 *
 * @param asked names whose end is told as an event; by default each one's
 */
export async function endImage(images: Images, image: ImageRecord, asked?: readonly NameRecord[]): Promise<Removal> {
  const names = images.table.namesOf(image.id);
  images.leaving.add(image.id);
  try {
    await images.commit({ removeNames: names, removeImages: [image] });
  } finally {
    images.leaving.delete(image.id);
  }
  tellUntagged(images, image, asked ?? names);
  images.tell("delete", image.id, image.id, image.labels);
  const freed = await reclaimImages(images, [image]);
  return { untagged: names.map(shown), deleted: [image.id, ...chainsOf(image, freed)], bytes: freed.bytes };
}

async function endNames(images: Images, image: ImageRecord, names: readonly NameRecord[]): Promise<Removal> {
  await images.commit({ removeNames: names });
  tellUntagged(images, image, names.slice(0, 1)); // as Docker: digests that go with their last tag are no events
  return { untagged: names.map(shown), deleted: [], bytes: 0 };
}

function tellUntagged(images: Images, image: ImageRecord, names: readonly NameRecord[]): void {
  for (const _ of names) images.tell("untag", image.id, image.id, image.labels);
}

function shown({ reference }: NameRecord): string {
  return familiarReference(parseReference(reference));
}

function checkNoContainer(images: Images, image: ImageRecord, name: string): void {
  const [user] = images.users.usersOf(image.id);
  if (user !== undefined)
    throw OrlopError.of("image_name_used", { name, container: shortId(user.id), image: shortId(image.id) });
}

function checkUnused(images: Images, image: ImageRecord): void {
  const all = images.users.usersOf(image.id);
  const user = all.find(({ isRunning }) => isRunning) ?? all[0];
  if (user === undefined) return;
  const values = { image: shortId(image.id), container: shortId(user.id) };
  throw OrlopError.of(user.isRunning ? "image_running" : "image_stopped_user", values);
}

/** Its last name may go, but not the image: it stays without a name. */
function blocks(images: Images, image: ImageRecord, force: boolean): boolean {
  return images.users.usersOf(image.id).some(({ isRunning }) => isRunning || !force);
}

/** With a repository's last tag its digests go too: the user never gave those. */
function digestsLeft(removed: NameRecord, names: readonly NameRecord[]): NameRecord[] {
  if (isDigest(removed)) return [];
  const same = names.filter((name) => name !== removed && repositoryOf(name) === repositoryOf(removed));
  return same.every(isDigest) ? same : [];
}

/** At most one tag, and all names in one repository. */
function isOneName(names: readonly NameRecord[]): boolean {
  const tags = names.filter((name) => !isDigest(name));
  return tags.length <= 1 && new Set(names.map(repositoryOf)).size <= 1;
}

function isDigest({ reference }: NameRecord): boolean {
  return reference.includes("@");
}

function repositoryOf({ reference }: NameRecord): string {
  const { host, repository } = parseReference(reference);
  return `${host}/${repository}`;
}

/** Names of the layers whose files are gone, the topmost first (OCI image-spec config.md, "Layer ChainID"). */
function chainsOf({ layers }: ImageRecord, { layers: gone }: Reclaimed): Digest[] {
  const chains: Digest[] = [];
  let chain: Digest | undefined;
  for (const { diffId } of layers) {
    chain =
      chain === undefined
        ? diffId
        : digestOfHex(
            createHash("sha256")
              .update(`sha256:${hexOf(chain)} ${diffId}`)
              .digest("hex"),
          );
    if (gone.includes(diffId)) chains.unshift(chain);
  }
  return chains;
}
