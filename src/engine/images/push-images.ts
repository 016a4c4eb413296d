/** `push`: an image's blobs and manifest to the registry of its name. */

import { OrlopError } from "../../base/errors.ts";
import { type PushEvent, pushImage } from "../../images/push.ts";
import type { Digest } from "../../spec/digest.ts";
import type { Descriptor, Manifest } from "../../spec/oci-image.ts";
import { manifestMax, parseManifest } from "../../spec/oci-image-parse.ts";
import { familiarName, familiarReference, parseReference, type Reference } from "../../spec/reference.ts";
import type { Credentials } from "../../spec/registry-credentials.ts";
import type { ImageRecord, NameRecord } from "./image-record.ts";
import { nameKey } from "./image-table.ts";
import type { Images } from "./images.ts";
import { blobsOf } from "./reclaim.ts";

export type PushStep =
  | { readonly kind: "begun"; readonly layers: readonly Descriptor[] }
  | (PushEvent & { readonly mountedFrom?: string })
  | { readonly kind: "pushed"; readonly tag: string; readonly digest: Digest; readonly sizeBytes: number };

export interface PushRequest {
  readonly reference: Reference & { readonly tag: string };
  readonly credentials?: Credentials;
  readonly onStep: (step: PushStep) => void;
  readonly signal?: AbortSignal;
}

/** Every tag that the repository has here. @throws {OrlopError} name_not_here */
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

/** @throws {OrlopError} name_not_here, registry_* */
export async function push(images: Images, request: PushRequest): Promise<void> {
  const { reference, credentials, onStep, signal } = request;
  const name = images.table.name(nameKey(reference));
  const image = name === undefined ? undefined : images.table.image(name.image);
  if (image === undefined) throw OrlopError.of("name_not_here", { name: familiarReference(reference) });
  const { content, leases } = await images.stores();
  using lease = leases.open();
  lease.hold(blobsOf(image));
  const manifest = await manifestOf(images, image);
  onStep({ kind: "begun", layers: manifest.layers });
  const registries = await images.registrySettings.registries();
  const others = repositoriesByBlob(images, reference);
  await pushImage({
    session: registries.session(reference, credentials),
    store: content,
    manifest,
    tag: reference.tag,
    mountFrom: (digest) => others.get(digest),
    onEvent: (event) => {
      const from = event.kind === "uploaded" && event.outcome === "mounted" ? others.get(event.blob.digest) : undefined;
      onStep(from === undefined ? event : { ...event, mountedFrom: from });
    },
    ...(signal && { signal }),
  });
  const { digest, sizeBytes } = image.manifest;
  const { host, repository, tag } = reference;
  const byDigest: NameRecord = {
    reference: nameKey({ host, repository, digest }),
    image: image.id,
    target: digest,
    taggedMs: Date.now(),
  };
  await images.commit({ putNames: [byDigest] });
  images.tell("push", familiarReference(reference), familiarName(reference), image.labels);
  onStep({ kind: "pushed", tag, digest, sizeBytes });
}

/** An image's manifest as it is stored. */
async function manifestOf(images: Images, image: ImageRecord): Promise<Manifest> {
  const { content } = await images.stores();
  const { digest } = image.manifest;
  const manifest = parseManifest(await content.read(digest, manifestMax), digest, { name: image.id });
  if (manifest.kind !== "manifest") throw OrlopError.of("internal", { reason: `${digest} is an index` });
  return manifest;
}

/** For each blob another repository of the same registry that has it, by the names that images have here. */
function repositoriesByBlob(images: Images, { host, repository }: Reference): Map<Digest, string> {
  const found = new Map<Digest, string>();
  for (const name of images.table.names()) {
    const other = parseReference(name.reference);
    // what has a digest in that repository was pulled from there or pushed to it
    if (other.host !== host || other.repository === repository || other.digest === undefined) continue;
    const image = images.table.image(name.image);
    for (const digest of image === undefined ? [] : blobsOf(image)) found.set(digest, other.repository);
  }
  return found;
}
