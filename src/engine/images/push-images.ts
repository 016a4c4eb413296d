/** `push`: sends the target of a name to the registry in that name. */

import { OrlopError } from "../../base/errors.ts";
import type { Lease } from "../../images/leases.ts";
import { type PushEvent, pushImage } from "../../images/push.ts";
import type { Digest } from "../../spec/digest.ts";
import type { Descriptor, Index, Manifest } from "../../spec/oci-image.ts";
import { manifestMax, parseManifest } from "../../spec/oci-image-parse.ts";
import { formatPlatform, hostPlatform, type Platform, platformDistance } from "../../spec/platform.ts";
import { familiarName, familiarReference, parseReference, type Reference } from "../../spec/reference.ts";
import type { Credentials } from "../../spec/registry-credentials.ts";
import { manifestsOf } from "./image-manifests.ts";
import { among } from "./image-platform.ts";
import { formUnder, type ImageRecord } from "./image-record.ts";
import { nameKey } from "./image-words.ts";
import type { Images } from "./images.ts";
import { blobsOf } from "./reclaim.ts";

export type PushStep =
  | { readonly kind: "begun"; readonly layers: readonly Descriptor[] }
  | (PushEvent & { readonly mountedFrom?: string })
  /** Not everything that the name's index names is here, so only a part was pushed. */
  | { readonly kind: "alone"; readonly manifest: Descriptor; readonly index: Descriptor }
  | { readonly kind: "pushed"; readonly tag: string; readonly digest: Digest; readonly sizeBytes: number };

export interface PushRequest {
  readonly reference: Reference & { readonly tag: string };
  /** Only this platform. */
  readonly platform?: Platform;
  readonly credentials?: Credentials;
  readonly onStep: (step: PushStep) => void;
  readonly signal?: AbortSignal;
}

/** Pushes every local tag of a repository. @throws {OrlopError} name_not_here */
export function tagsHere(images: Images, { host, repository }: Reference): (Reference & { tag: string })[] {
  const own = images.table.names().map(({ reference }) => parseReference(reference));
  const tags = own.flatMap((one) =>
    one.host === host && one.repository === repository && one.digest === undefined && one.tag !== undefined
      ? [{ host, repository, tag: one.tag }]
      : [],
  );
  if (tags.length === 0) throw OrlopError.of("name_not_here", { name: familiarName({ host, repository }) });
  return tags;
}

/** @throws {OrlopError} name_not_here, platform_mismatch, several_platforms, registry_* */
export async function push(images: Images, request: PushRequest): Promise<void> {
  const { reference, credentials, onStep, signal } = request;
  const { content, leases } = await images.stores();
  using lease = leases.open();
  const chosen = await choose(images, request, lease);
  const { image, documents } = chosen;
  const layers = documents.flatMap((one) => (one.kind === "index" ? [] : one.layers));
  onStep({ kind: "begun", layers });
  const registries = await images.registrySettings.registries();
  const others = repositoriesByBlob(images, reference);
  await pushImage({
    session: registries.session(reference, credentials),
    store: content,
    documents,
    tag: reference.tag,
    mountFrom: (digest) => others.get(digest),
    onEvent: (event) => {
      const from = event.kind === "uploaded" && event.outcome === "mounted" ? others.get(event.blob.digest) : undefined;
      onStep(from === undefined ? event : { ...event, mountedFrom: from });
    },
    ...(signal && { signal }),
  });
  const { mediaType, digest, raw } = documents.at(-1) as Manifest | Index;
  const { host, repository, tag } = reference;
  const byDigest = nameKey({ host, repository, digest });
  await images.commit(() => ({
    putNames: [{ reference: byDigest, image: image.id, target: digest, taggedMs: Date.now() }],
  }));
  images.publish("push", familiarReference(reference), familiarName(reference), image.labels);
  const manifest = { mediaType, digest, size: raw.length };
  if (chosen.insteadOf !== undefined) onStep({ kind: "alone", manifest, index: chosen.insteadOf });
  onStep({ kind: "pushed", tag, digest, sizeBytes: raw.length });
}

interface Chosen {
  /** The default of the new name by digest. */
  readonly image: ImageRecord;
  readonly documents: readonly (Manifest | Index)[];
  /** The name's index, if it is incomplete here. */
  readonly insteadOf?: Descriptor;
}

/** The index, if everything that it names is here; else its image for this machine, or the only one that is here (moby's rule). */
async function choose(images: Images, { reference, platform }: PushRequest, lease: Lease): Promise<Chosen> {
  const { table } = images;
  const name = table.name(nameKey(reference));
  const image = name === undefined ? undefined : table.image(name.image);
  const written = familiarReference(reference);
  if (name === undefined || image === undefined) throw OrlopError.of("name_not_here", { name: written });
  const here = table.platformsOf(name);
  const { target, indexes, manifests, isWhole } = await manifestsOf(images, image, lease, name.target);
  if (platform === undefined && isWhole && indexes.length > 0) {
    const documents = manifests.flatMap(({ document }) => document ?? []);
    return { image, documents: [...documents, ...indexes.toReversed()] };
  }
  const isOurs = platformDistance(image.platform, hostPlatform()) !== undefined;
  if (platform === undefined && here.length > 1 && !isOurs)
    throw OrlopError.of("several_platforms", { name: written, platforms: here.map(shownPlatform).join(", ") });
  const one = platform === undefined ? image : among(here, written, platform);
  const documents = [await manifestOf(images, one, name.target)];
  const isPart = platform === undefined && indexes.length > 0;
  return { image: one, documents, ...(isPart && { insteadOf: target }) };
}

function shownPlatform({ platform }: ImageRecord): string {
  return formatPlatform(platform);
}

/** An image's stored manifest. */
async function manifestOf(images: Images, image: ImageRecord, target: Digest): Promise<Manifest> {
  const { content } = await images.stores();
  const { digest } = formUnder(image, target).manifest;
  const manifest = parseManifest(await content.read(digest, manifestMax), digest, { name: image.id });
  if (manifest.kind !== "manifest") throw OrlopError.of("internal", { reason: `${digest} is an index` });
  return manifest;
}

/** For each blob, another repository of the same registry that has it, as far as local names show. */
function repositoriesByBlob(images: Images, { host, repository }: Reference): Map<Digest, string> {
  const found = new Map<Digest, string>();
  for (const name of images.table.names()) {
    const other = parseReference(name.reference);
    // An image with a name by digest in that repository was pulled from it or pushed to it.
    if (other.host !== host || other.repository === repository || other.digest === undefined) continue;
    for (const digest of images.table.platformsOf(name).flatMap(blobsOf)) found.set(digest, other.repository);
  }
  return found;
}
