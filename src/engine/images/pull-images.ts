/** `pull`: from a reference to an image that containers can run, with progress. */

import { OrlopError } from "../../base/errors.ts";
import type { ArrivingBlob } from "../../images/arriving-blob.ts";
import { type PullEvent, pullImage } from "../../images/pull.ts";
import type { Digest } from "../../spec/digest.ts";
import type { Descriptor } from "../../spec/oci-image.ts";
import type { Platform } from "../../spec/platform.ts";
import { familiarName, familiarReference, type Reference } from "../../spec/reference.ts";
import type { Credentials } from "../../spec/registry-credentials.ts";
import { addImage, layerOf } from "./add-image.ts";
import type { ImageRecord } from "./image-record.ts";
import type { ImageStores } from "./image-stores.ts";
import { nameKey } from "./image-words.ts";
import type { Images } from "./images.ts";
import { reclaimPull } from "./reclaim.ts";

export type PullStep =
  | PullEvent
  | { readonly kind: "extracting"; readonly layer: Descriptor; readonly doneBytes: number }
  /** wasHere: the layer was unpacked before this pull. */
  | { readonly kind: "extracted"; readonly layer: Descriptor; readonly wasHere: boolean };

export interface PullRequest {
  readonly reference: Reference;
  readonly platform: Platform;
  readonly credentials?: Credentials;
  readonly onStep: (step: PullStep) => void;
  readonly signal?: AbortSignal;
}

export interface Pulled {
  readonly image: ImageRecord;
  /** The target of the reference at the registry. */
  readonly digest: Digest;
  /** The reference had this target before. */
  readonly isUpToDate: boolean;
}

/**
 * Settles when the image is complete, unpacked and durable. After a failure, downloads are kept for the next pull to continue; only if
 * the disk is full they are removed.
 *
 * @throws {OrlopError} disk_full; as pullImage and unpackLayer
 */
export async function pull(images: Images, request: PullRequest): Promise<Pulled> {
  const brought = { blobs: new Set<Digest>(), layers: new Set<Digest>() };
  try {
    return await pullAll(images, request, brought);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    await reclaimPull(images, [...brought.blobs], [...brought.layers]);
    throw OrlopError.of("disk_full", { doing: `pulling ${familiarReference(request.reference)}` }, error);
  }
}

/** What a pull will add. */
interface Brought {
  readonly blobs: Set<Digest>;
  readonly layers: Set<Digest>;
}

async function pullAll(images: Images, request: PullRequest, brought: Brought): Promise<Pulled> {
  const { reference, platform, credentials, onStep, signal } = request;
  const stores = await images.stores();
  const registries = await images.registrySettings.registries();
  using lease = stores.leases.open();
  using layerLease = stores.layerLeases.open();
  using expected = new DisposableStack();
  const pulled = await pullImage({
    reference,
    platform,
    sessions: registries.sessions(reference, credentials),
    store: stores.content,
    fetcher: stores.fetcher,
    lease,
    onEvent: (event) => {
      if (event.kind === "resolved") {
        for (const { digest } of event.layers) brought.blobs.add(digest);
        expected.use(stores.expectLayers(event.layers));
      }
      onStep(event);
    },
    onLayer: async ({ layer, position, image, arriving, signal }) => {
      const { diffIds } = image.config;
      layerLease.hold(diffIds);
      for (const id of diffIds) brought.layers.add(id);
      for (const { digest } of [...image.documents, image.config]) brought.blobs.add(digest);
      await unpack(stores, { layer, diffId: diffIds[position], onStep, signal, ...(arriving && { arriving }) });
    },
    ...(signal && { signal }),
  });
  const known = images.table.name(nameKey(reference));
  const before = known === undefined ? [] : images.table.platformsOf(known);
  const isUpToDate = known?.target === pulled.target.digest && before.some(({ id }) => id === pulled.config.digest);
  const added = await addImage(images, {
    platforms: [pulled],
    indexes: pulled.documents.filter((document) => document.kind === "index"),
    names: namesOf(reference, pulled.target.digest),
    target: pulled.target.digest,
  });
  const image = added[0] as ImageRecord;
  images.publish("pull", familiarReference(reference), familiarName(reference), image.labels);
  return { image, digest: pulled.target.digest, isUpToDate };
}

/** Whether the disk was full, for a write of the engine, the executor or the database. */
function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (
    (error as NodeJS.ErrnoException).code === "ENOSPC" ||
    /no space left|database or disk is full/i.test(error.message)
  )
    return true;
  return isDiskFull(error.cause);
}

interface LayerWork {
  readonly layer: Descriptor;
  readonly diffId: Digest | undefined;
  readonly onStep: PullRequest["onStep"];
  readonly arriving?: ArrivingBlob;
  readonly signal: AbortSignal;
}

async function unpack(stores: ImageStores, { layer, diffId, onStep, arriving, signal }: LayerWork): Promise<void> {
  const wasHere = diffId !== undefined && (await stores.layers.has(diffId));
  // Clients show one progress bar for a layer: while its blob arrives, the bar shows the download.
  let isShown = arriving === undefined;
  arriving?.verified.then(
    () => {
      isShown = true;
    },
    () => undefined,
  );
  const onProgress = (doneBytes: number): void => {
    if (isShown) onStep({ kind: "extracting", layer, doneBytes });
  };
  await layerOf(stores, layer, diffId, { onProgress, signal, ...(arriving && { arriving }) });
  if (arriving !== undefined) await arriving.verified; // a layer that was unpacked before is reported only when its blob is here too
  onStep({ kind: "extracted", layer, wasHere });
}

/** The names that a pull gives, as in Docker: the tag, and always the digest. */
function namesOf({ host, repository, tag, digest }: Reference, target: Digest): Reference[] {
  const byDigest = { host, repository, digest: digest ?? target };
  return tag === undefined || digest !== undefined ? [byDigest] : [{ host, repository, tag }, byDigest];
}

/** Every tag of a repository. @throws {OrlopError} no_tags */
export async function tagsOf(
  images: Images,
  { host, repository }: Reference,
  credentials?: Credentials,
  signal?: AbortSignal,
): Promise<Reference[]> {
  const { listTags } = await import("../../images/registry-client.ts");
  const registries = await images.registrySettings.registries();
  const tags = await listTags(registries.session({ host, repository }, credentials), signal);
  if (tags.length === 0) throw OrlopError.of("no_tags", { repository });
  return tags.map((tag) => ({ host, repository, tag }));
}
