/** `rmi`: names go first, the image with its last one; what containers use stays, in Docker's order and words (moby ImageDelete). */

import { createHash } from "node:crypto";
import { OrlopError } from "../../base/errors.ts";
import { type Digest, digestOfHex, hexOf } from "../../spec/digest.ts";
import type { Platform } from "../../spec/platform.ts";
import { familiarReference, parseReference } from "../../spec/reference.ts";
import { isHostImage } from "./host-image.ts";
import { among, bestOf } from "./image-platform.ts";
import type { ImageForm, ImageRecord, NameRecord } from "./image-record.ts";
import type { Images } from "./images.ts";
import { withoutNames } from "./new-platforms.ts";
import { type Reclaimed, reclaimForms, reclaimImages } from "./reclaim.ts";
import { shortId } from "./short-id.ts";

export interface Removal {
  readonly untagged: readonly string[];
  /** Ids: each image's, then its layers' whose files went (as chains, which is how Docker names layers). */
  readonly deleted: readonly Digest[];
  readonly bytes: number;
}

export interface RemovalRequest {
  readonly written: string;
  readonly force: boolean;
  /** Of the image, these alone; its names stay as long as any is here. */
  readonly platforms?: readonly Platform[];
}

/** @throws {OrlopError} no_such_image, platform_mismatch, image_name_used, image_running, image_stopped_user, image_names */
export async function removeImage(
  images: Images,
  { written, force, platforms = [] }: RemovalRequest,
): Promise<Removal> {
  if (isHostImage(written)) throw OrlopError.of("image_built_in", { name: "host", doing: "remove" });
  const { table } = images;
  const image = table.get(written);
  if (platforms.length > 0) {
    const chosen = platforms.map((platform) => among(table.allOf(written), written, platform));
    for (const one of chosen) checkUnused(images, one, force);
    return endPlatforms(images, [...new Set(chosen)]);
  }
  const { name } = table.find(written) ?? {};
  if (name !== undefined) {
    const all = table.platformsOf(name);
    for (const one of all) if (!force && isOneName(table.namesOf(one.id))) checkNoContainer(images, one, written);
    const digests = all.flatMap(({ id }) => digestsLeft(name, table.ownNamesOf(id)));
    return endNames(images, [...new Set([name, ...digests])], force);
  }
  const names = table.ownNamesOf(image.id);
  const all = table.platformsWith(image);
  for (const one of all) checkUnused(images, one, force);
  if (!force && !isOneName(names)) throw OrlopError.of("image_names", { image: shortId(image.id) });
  return names.length > 0 ? endNames(images, names, true, names) : endPlatforms(images, all);
}

/**
 * Removes names, and the images that nothing else leads to. Of those what containers use stays, without a name.
 *
 * @param told names whose end is told as an event; Docker tells of no digests that go with their last tag
 */
async function endNames(
  images: Images,
  names: readonly NameRecord[],
  force: boolean,
  told: readonly NameRecord[] = names.slice(0, 1),
): Promise<Removal> {
  const { table } = images;
  const candidates = [...new Set(names.flatMap((name) => table.platformsOf(name)))];
  const going = candidates.filter(
    (image) => table.namesOf(image.id).every((name) => names.includes(name)) && !blocks(images, image, force),
  );
  return remove(images, going, names, told);
}

/**
 * Removes images. Names that lead to other platforms too stay, and mean one of those from then on; the others go. The caller has
 * seen to it that the images may go.
 */
export function endPlatforms(images: Images, going: readonly ImageRecord[]): Promise<Removal> {
  const { table } = images;
  const names = [...new Set(going.flatMap(({ id }) => table.namesOf(id)))];
  const ending = names.filter((name) => table.platformsOf(name).every((image) => going.includes(image)));
  return remove(images, going, ending, ending);
}

async function remove(
  images: Images,
  chosen: readonly ImageRecord[],
  names: readonly NameRecord[],
  told: readonly NameRecord[],
): Promise<Removal> {
  const { table } = images;
  const [first] = names;
  const labelled = (first && table.image(first.image)) ?? chosen[0];
  const known = new Set([...names, ...chosen.flatMap(({ id }) => table.namesOf(id))]);
  let going: readonly ImageRecord[] = [];
  let removeNames: readonly NameRecord[] = [];
  let left: readonly ImageForm[] = [];
  for (const { id } of chosen) images.leaving.add(id);
  try {
    await images.commit(() => {
      // a name that was given meanwhile stays, and so does what it leads to
      going = chosen.filter(({ id }) => table.namesOf(id).every((name) => known.has(name)));
      const restOf = (name: NameRecord): ImageRecord[] =>
        table.platformsOf(name).filter(({ id }) => going.every((one) => one.id !== id));
      const all = [...new Set([...names, ...going.flatMap(({ id }) => table.namesOf(id))])];
      removeNames = all.filter(
        (name) => table.name(name.reference) === name && (names.includes(name) || restOf(name).length === 0),
      );
      const orphaned = all.filter((name) => !removeNames.includes(name) && going.some(({ id }) => id === name.image));
      const putNames = orphaned.map((name) => ({ ...name, image: bestOf(restOf(name)).id }));
      const references = removeNames.map(({ reference }) => reference);
      const staying = removeNames
        .flatMap((name) => table.platformsOf(name))
        .filter(({ id }) => going.every((one) => one.id !== id));
      const trimmed = [...new Set(staying)].map((image) => withoutNames(table, image, references));
      left = trimmed.flatMap((one) => one.left);
      const putImages = trimmed.flatMap((one) => (one.left.length > 0 ? [one.image] : []));
      return { putImages, removeNames, putNames, removeImages: going };
    });
  } finally {
    for (const { id } of chosen) images.leaving.delete(id);
  }
  if (labelled !== undefined) tellUntagged(images, labelled, told);
  for (const image of going) images.publish("delete", image.id, image.id, image.labels);
  if (left.length > 0) await reclaimForms(images, left);
  const freed = await reclaimImages(images, going);
  const deleted = going.flatMap((image) => [image.id, ...chainsOf(image, freed)]);
  return { untagged: removeNames.map(shown), deleted: [...new Set(deleted)], bytes: freed.bytes };
}

function tellUntagged(images: Images, image: ImageRecord, names: readonly NameRecord[]): void {
  for (const _ of names) images.publish("untag", image.id, image.id, image.labels);
}

function shown({ reference }: NameRecord): string {
  return familiarReference(parseReference(reference));
}

function checkNoContainer(images: Images, image: ImageRecord, name: string): void {
  const [user] = images.users.usersOf(image.id);
  if (user !== undefined)
    throw OrlopError.of("image_name_used", { name, container: shortId(user.id), image: shortId(image.id) });
}

function checkUnused(images: Images, image: ImageRecord, force: boolean): void {
  const all = images.users.usersOf(image.id);
  const user = all.find(({ isRunning }) => isRunning) ?? all[0];
  if (user === undefined || (force && !user.isRunning)) return;
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
