/** All images and their names, in memory: found by name, id or the beginning of an id. Changes are the caller's to store. */

import { OrlopError } from "../../base/errors.ts";
import type { Digest } from "../../spec/digest.ts";
import { formatReference, parseReference, type Reference } from "../../spec/reference.ts";
import type { ImageRecord, NameRecord } from "./image-record.ts";

const idPattern = /^(?:sha256:)?([0-9a-f]{1,64})$/;

export class ImageTable {
  readonly #images = new Map<Digest, ImageRecord>();
  readonly #names = new Map<string, NameRecord>();
  /** The names of each image, in the order in which they were given. */
  readonly #namesOf = new Map<Digest, Set<string>>();

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

  /** By its whole reference. */
  name(reference: string): NameRecord | undefined {
    return this.#names.get(reference);
  }

  namesOf(id: Digest): NameRecord[] {
    return [...(this.#namesOf.get(id) ?? [])].flatMap((reference) => this.#names.get(reference) ?? []);
  }

  putImage(record: ImageRecord): void {
    this.#images.set(record.id, record);
  }

  putName(record: NameRecord): void {
    this.removeName(record.reference);
    this.#names.set(record.reference, record);
    const names = this.#namesOf.get(record.image) ?? new Set();
    this.#namesOf.set(record.image, names.add(record.reference));
  }

  removeName(reference: string): void {
    const old = this.#names.get(reference);
    if (old === undefined) return;
    this.#names.delete(reference);
    this.#namesOf.get(old.image)?.delete(reference);
  }

  removeImage(id: Digest): void {
    for (const { reference } of this.namesOf(id)) this.removeName(reference);
    this.#namesOf.delete(id);
    this.#images.delete(id);
  }

  /**
   * What a client's words mean, Docker's order: a whole id, a name, the beginning of an id.
   *
   * @returns the image, and the name when it was found by one; undefined when there is none
   * @throws {OrlopError} ambiguous_id, bad_reference
   */
  find(written: string): { readonly image: ImageRecord; readonly name?: NameRecord } | undefined {
    const digits = idPattern.exec(written)?.[1];
    if (digits?.length === 64) {
      const image = this.#images.get(`sha256:${digits}` as Digest);
      return image === undefined ? undefined : { image };
    }
    const name = written.startsWith("sha256:") ? undefined : this.#names.get(wholeName(written));
    const named = name === undefined ? undefined : this.#images.get(name.image);
    if (name !== undefined && named !== undefined) return { image: named, name };
    if (digits === undefined) return undefined;
    const matches = this.all().filter(({ id }) => id.startsWith(digits, "sha256:".length));
    if (matches.length > 1) throw OrlopError.of("ambiguous_id", { prefix: written });
    const [image] = matches;
    return image === undefined ? undefined : { image };
  }

  /** @throws {OrlopError} no_such_image, ambiguous_id, bad_reference */
  get(written: string): ImageRecord {
    const found = this.find(written);
    if (found === undefined) throw OrlopError.of("no_such_image", { reference: withTag(written) });
    return found.image;
  }
}

/** The key of a name: with a digest the tag beside it means nothing, as in Docker. */
export function nameKey(reference: Reference): string {
  const { host, repository, digest } = reference;
  return digest === undefined ? formatReference(reference) : formatReference({ host, repository, digest });
}

function wholeName(written: string): string {
  return nameKey(parseReference(written));
}

/** As Docker names an image in its messages. */
export function withTag(written: string): string {
  if (idPattern.test(written)) return written;
  const name = written.slice(written.lastIndexOf("/") + 1);
  return name.includes(":") || name.includes("@") ? written : `${written}:latest`;
}
