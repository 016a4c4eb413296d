/**
 * All images and their names, in memory, found by name, id or id prefix. The caller stores changes.
 * A name has a target (an index or a manifest), and leads to every image that the target names and that is here: one for each platform.
 * One of them is the name's default.
 */

import { OrlopError } from "../../base/errors.ts";
import type { Digest } from "../../spec/digest.ts";
import { bestOf } from "./image-platform.ts";
import { formsOf, type ImageRecord, type NameRecord, targetsOf } from "./image-record.ts";
import { idPattern, wholeName, withTag } from "./image-words.ts";

/** One image in a list. */
export interface ImageRow {
  /** The default platform. */
  readonly image: ImageRecord;
  readonly names: readonly NameRecord[];
  /** All platforms, the default first. */
  readonly platforms: readonly ImageRecord[];
}

export class ImageTable {
  readonly #images = new Map<Digest, ImageRecord>();
  readonly #names = new Map<string, NameRecord>();
  /** By image: the names whose default it is, in the order in which they were given. */
  readonly #ownNames = new Map<Digest, Set<string>>();
  readonly #imagesUnder = new Map<Digest, Set<Digest>>();
  readonly #namesUnder = new Map<Digest, Set<string>>();

  /** Oldest first. */
  all(): ImageRecord[] {
    return [...this.#images.values()];
  }

  names(): NameRecord[] {
    return [...this.#names.values()];
  }

  image(id: Digest): ImageRecord | undefined {
    return this.#images.get(id);
  }

  /** @param reference complete, with host and tag */
  name(reference: string): NameRecord | undefined {
    return this.#names.get(reference);
  }

  /** The names whose default is this image. */
  ownNamesOf(id: Digest): NameRecord[] {
    return this.#namesIn(this.#ownNames.get(id));
  }

  /** Every name that leads to an image; those whose default it is come first. */
  namesOf(id: Digest): NameRecord[] {
    const image = this.#images.get(id);
    const targets = image === undefined ? [] : formsOf(image).flatMap(targetsOf);
    return [...new Set([...this.ownNamesOf(id), ...targets.flatMap((target) => this.namesUnder(target))])];
  }

  /** The names whose target this is. */
  namesUnder(target: Digest): NameRecord[] {
    return this.#namesIn(this.#namesUnder.get(target));
  }

  /** The images that an index or a manifest leads to. */
  imagesUnder(target: Digest): ImageRecord[] {
    return [...(this.#imagesUnder.get(target) ?? [])].flatMap((id) => this.#images.get(id) ?? []);
  }

  /** The images that a name leads to, its default first. */
  platformsOf({ image, target }: NameRecord): ImageRecord[] {
    const first = this.#images.get(image);
    return [...new Set([...(first === undefined ? [] : [first]), ...this.imagesUnder(target)])];
  }

  /** An image and the other platforms of its names; if it has no names, of its index. */
  platformsWith(image: ImageRecord): ImageRecord[] {
    const own = this.ownNamesOf(image.id);
    if (own.length > 0) return [...new Set([image, ...own.flatMap((name) => this.platformsOf(name))])];
    if (this.namesOf(image.id).length > 0) return [image];
    const beside = this.imagesUnder(topOf(image)).filter(({ id }) => this.namesOf(id).length === 0);
    return [...new Set([image, ...beside])];
  }

  /** The images for a list. Platforms of one name are shown together with its default. */
  rows(): ImageRow[] {
    const nameless = new Map<Digest, ImageRecord[]>();
    const rows = this.all().flatMap((image): ImageRow[] => {
      const names = this.ownNamesOf(image.id);
      if (names.length > 0) return [{ image, names, platforms: this.platformsWith(image) }];
      if (this.namesOf(image.id).length === 0)
        nameless.set(topOf(image), [...(nameless.get(topOf(image)) ?? []), image]);
      return [];
    });
    for (const platforms of nameless.values()) {
      const image = bestOf(platforms);
      rows.push({ image, names: [], platforms: [...new Set([image, ...platforms])] });
    }
    return rows;
  }

  putImage(record: ImageRecord): void {
    const before = this.#images.get(record.id);
    if (before !== undefined) this.#forgetTargets(before);
    this.#images.set(record.id, record);
    for (const target of formsOf(record).flatMap(targetsOf)) add(this.#imagesUnder, target, record.id);
  }

  putName(record: NameRecord): void {
    this.removeName(record.reference);
    this.#names.set(record.reference, record);
    add(this.#ownNames, record.image, record.reference);
    add(this.#namesUnder, record.target, record.reference);
  }

  removeName(reference: string): void {
    const old = this.#names.get(reference);
    if (old === undefined) return;
    this.#names.delete(reference);
    remove(this.#ownNames, old.image, reference);
    remove(this.#namesUnder, old.target, reference);
  }

  /** With the names whose default it is. */
  removeImage(id: Digest): void {
    for (const { reference } of this.ownNamesOf(id)) this.removeName(reference);
    const old = this.#images.get(id);
    if (old !== undefined) this.#forgetTargets(old);
    this.#images.delete(id);
  }

  /**
   * Finds an image as Docker does: by id, by name, by id prefix, in this order. The digest of an index or a manifest is accepted as an id.
   *
   * @returns the image, and the name if it was found by one; undefined if there is none
   * @throws {OrlopError} ambiguous_id, bad_reference
   */
  find(written: string): { readonly image: ImageRecord; readonly name?: NameRecord } | undefined {
    const digits = idPattern.exec(written)?.[1];
    if (digits?.length === 64) {
      const digest = `sha256:${digits}` as Digest;
      return this.#byDigest(this.#images.has(digest) ? [digest] : [], [digest]);
    }
    const name = written.startsWith("sha256:") ? undefined : this.#names.get(wholeName(written));
    const named = name === undefined ? undefined : this.#images.get(name.image);
    if (name !== undefined && named !== undefined) return { image: named, name };
    if (digits === undefined) return undefined;
    const startsSo = (digest: Digest): boolean => digest.startsWith(digits, "sha256:".length);
    const ids = [...this.#images.keys()].filter(startsSo);
    const targets = ids.length > 0 ? [] : [...this.#imagesUnder.keys()].filter(startsSo);
    if (Math.max(ids.length, targets.length) > 1) throw OrlopError.of("ambiguous_id", { prefix: written });
    return this.#byDigest(ids, targets);
  }

  #byDigest(ids: readonly Digest[], targets: readonly Digest[]): { readonly image: ImageRecord } | undefined {
    const found = [
      ...ids.flatMap((id) => this.#images.get(id) ?? []),
      ...targets.flatMap((one) => this.imagesUnder(one)),
    ];
    if (found.length === 0) return undefined;
    return { image: ids.length > 0 ? (found[0] as ImageRecord) : bestOf(found) };
  }

  /** @throws {OrlopError} no_such_image, ambiguous_id, bad_reference */
  get(written: string): ImageRecord {
    const found = this.find(written);
    if (found === undefined) throw OrlopError.of("no_such_image", { reference: withTag(written) });
    return found.image;
  }

  /** All platforms of the image that a client has named. */
  allOf(written: string): ImageRecord[] {
    const found = this.find(written);
    if (found === undefined) return [];
    return found.name === undefined ? this.platformsWith(found.image) : this.platformsOf(found.name);
  }

  #namesIn(references: Iterable<string> = []): NameRecord[] {
    return [...references].flatMap((reference) => this.#names.get(reference) ?? []);
  }

  #forgetTargets(image: ImageRecord): void {
    for (const target of formsOf(image).flatMap(targetsOf)) remove(this.#imagesUnder, target, image.id);
  }
}

/** What an image in a list leads to: what the newest of its tags does, or of its names; what it came with where it has none. */
export function targetOf(table: ImageTable, image: ImageRecord): Digest {
  const names = table.ownNamesOf(image.id).toSorted((a, b) => b.taggedMs - a.taggedMs);
  const [name] = [...names.filter(({ reference }) => !reference.includes("@")), ...names];
  if (name !== undefined) return name.target;
  return table.namesOf(image.id).length > 0 ? image.manifest.digest : topOf(image);
}

/** What leads to it from above. */
function topOf({ indexes, manifest }: ImageRecord): Digest {
  return indexes[0] ?? manifest.digest;
}

function add<K, V>(sets: Map<K, Set<V>>, key: K, value: V): void {
  sets.set(key, (sets.get(key) ?? new Set()).add(value));
}

function remove<K, V>(sets: Map<K, Set<V>>, key: K, value: V): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}
