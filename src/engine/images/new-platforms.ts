/** The change of records and names when platforms of an image are added. Pure. */

import type { Digest } from "../../spec/digest.ts";
import type { ImageConfig, Index, Manifest } from "../../spec/oci-image.ts";
import type { Reference } from "../../spec/reference.ts";
import { bestOf } from "./image-platform.ts";
import {
  formsOf,
  type ImageForm,
  type ImageLayer,
  type ImageRecord,
  type NameRecord,
  targetsOf,
} from "./image-record.ts";
import type { ImageTable } from "./image-table.ts";
import { nameKey } from "./image-words.ts";

export interface CamePlatform {
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** Its unpacked layers. */
  readonly layers: readonly ImageLayer[];
  readonly beside?: ImageForm["beside"];
}

export interface CameImage {
  readonly came: readonly CamePlatform[];
  /** The outermost first. */
  readonly indexes?: readonly Index[];
  readonly names: readonly Reference[];
  readonly target: Digest;
}

export interface NewPlatforms {
  readonly changes: { readonly putImages: readonly ImageRecord[]; readonly putNames: readonly NameRecord[] };
  /** One for each platform that was added. */
  readonly added: readonly ImageRecord[];
  /** Forms that are no longer the target of any name. */
  readonly left: readonly ImageForm[];
}

export function changesFor(table: ImageTable, { came, indexes = [], names, target }: CameImage): NewPlatforms {
  const nowMs = Date.now();
  const keys = names.map(nameKey);
  const reached = new Map(indexes.map((index) => [index.digest, reach(index, indexes)]));
  const above = (manifest: Digest): Digest[] =>
    indexes.map(({ digest }) => digest).filter((digest) => reached.get(digest)?.has(manifest));
  const left: ImageForm[] = [];
  const isNamed = isNamedBeside(table, keys);

  const added = came.map(({ manifest, config, layers, beside = [] }): ImageRecord => {
    const before = table.image(config.digest);
    const known = before === undefined ? [] : formsOf(before);
    const same = known.find((form) => form.manifest.digest === manifest.digest);
    const others = known.filter((form) => form !== same);
    left.push(...others.filter((form) => !isNamed(form)));
    const kept = others.filter(isNamed);
    return {
      id: config.digest,
      configBytes: config.raw.length,
      manifest: { mediaType: manifest.mediaType, digest: manifest.digest, sizeBytes: manifest.raw.length },
      indexes: [...new Set([...above(manifest.digest), ...(same?.indexes ?? [])])],
      layers,
      ...besideOf([...beside, ...(same?.beside ?? [])]),
      ...(kept.length === 0 ? {} : { others: kept }),
      platform: config.platform,
      ...(config.created === undefined ? {} : { created: config.created }),
      labels: config.config.Labels ?? {},
      addedMs: before?.addedMs ?? nowMs,
      usedMs: before?.usedMs ?? 0,
    };
  });
  const ids = new Set(added.map(({ id }) => id));
  const beside = [...new Set(indexes.flatMap(({ digest }) => [...(reached.get(digest) ?? [])]))]
    .flatMap((manifest) => table.imagesUnder(manifest))
    .filter(({ id }) => !ids.has(id));
  const found = [...new Set(beside)].map((image) => withIndexes(image, above));
  const putImages = [...added, ...found];

  const meant = (name: Pick<NameRecord, "target"> & Partial<NameRecord>): Digest => {
    const first = name.image === undefined ? undefined : table.image(name.image);
    const all = [...(first === undefined ? [] : [first]), ...putImages, ...table.imagesUnder(name.target)];
    return bestOf(all.filter((image) => image === first || leads(image, name.target))).id;
  };
  const given = keys.map((reference): NameRecord => {
    const known = table.name(reference);
    const before = known?.target === target ? { image: known.image } : {};
    return { reference, target, image: meant({ target, ...before }), taggedMs: nowMs };
  });
  const targets = new Set(putImages.flatMap((image) => formsOf(image).flatMap(targetsOf)));
  const others = [...targets].flatMap((one) => table.namesUnder(one)).filter((name) => !keys.includes(name.reference));
  const moved = others
    .map((name) => ({ ...name, image: meant(name) }))
    .filter(({ reference, image }) => {
      return table.name(reference)?.image !== image;
    });
  return { changes: { putImages, putNames: [...given, ...moved] }, added, left };
}

/** Whether a form has another name than these. */
function isNamedBeside(table: ImageTable, references: readonly string[]): (form: ImageForm) => boolean {
  return (form) =>
    targetsOf(form).some((one) => table.namesUnder(one).some(({ reference }) => !references.includes(reference)));
}

/** The image without these names, and the forms that are removed with them. */
export function withoutNames(
  table: ImageTable,
  image: ImageRecord,
  references: readonly string[],
): { readonly image: ImageRecord; readonly left: readonly ImageForm[] } {
  const forms = formsOf(image);
  const named = forms.filter(isNamedBeside(table, references));
  const [first = image, ...others] = named;
  const { others: _, beside: __, ...common } = image;
  const { manifest, indexes, layers, beside = [] } = first;
  const rest = { ...common, manifest, indexes, layers, ...besideOf(beside) };
  return {
    image: others.length === 0 ? rest : { ...rest, others },
    left: forms.filter((form) => form !== first && !others.includes(form)),
  };
}

function besideOf(blobs: NonNullable<ImageForm["beside"]>): Pick<ImageForm, "beside"> {
  const each = [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
  return each.length === 0 ? {} : { beside: each };
}

/** Every manifest that an index names, directly or through other indexes. */
function reach(index: Index, all: readonly Index[]): Set<Digest> {
  const found = new Set(index.manifests.map(({ digest }) => digest));
  for (const digest of found)
    for (const inner of all) if (inner.digest === digest) for (const entry of inner.manifests) found.add(entry.digest);
  return found;
}

function leads(image: ImageRecord, target: Digest): boolean {
  return formsOf(image).some((form) => targetsOf(form).includes(target));
}

function withIndexes(image: ImageRecord, above: (manifest: Digest) => Digest[]): ImageRecord {
  const grown = <T extends ImageForm>(form: T): T => ({
    ...form,
    indexes: [...new Set([...above(form.manifest.digest), ...form.indexes])],
  });
  const { others } = image;
  return { ...grown(image), ...(others === undefined ? {} : { others: others.map(grown) }) };
}
