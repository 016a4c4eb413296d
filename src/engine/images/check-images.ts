/**
 * `system check`: reads every blob of every image, and compares it with its digest. Blobs that are damaged or missing are pulled again
 * from the registries of the image's names, and unpacked again if they are layers. Unpacked layers themselves are not checked.
 */

import { OrlopError } from "../../base/errors.ts";
import { log } from "../../base/log.ts";
import type { Digest } from "../../spec/digest.ts";
import { parseReference, type Reference } from "../../spec/reference.ts";
import type { Credentials } from "../../spec/registry-credentials.ts";
import { formsOf, type ImageLayer, type ImageRecord } from "./image-record.ts";
import type { Images } from "./images.ts";
import { blobsOf } from "./reclaim.ts";

export interface CheckFault {
  /** e.g. "layer sha256:… of debian:12". */
  readonly what: string;
  readonly outcome: string;
  /** It has been pulled again. */
  readonly isMended: boolean;
}

type Outcome = Omit<CheckFault, "what">;

export interface CheckRequest {
  readonly repair: boolean;
  readonly credentials?: Credentials;
  readonly onFault: (fault: CheckFault) => void;
  readonly signal?: AbortSignal;
}

/** @returns how many blobs and layers were checked, and how many of them were damaged */
export async function checkImages(images: Images, request: CheckRequest): Promise<{ checked: number; faults: number }> {
  const { content, layers, leases, layerLeases } = await images.stores();
  const seen = new Set<string>();
  let faults = 0;
  for (const image of images.table.all()) {
    using lease = leases.open();
    using layerLease = layerLeases.open();
    lease.hold(blobsOf(image));
    layerLease.hold(image.layers.map(({ diffId }) => diffId));
    for (const digest of blobsOf(image)) {
      request.signal?.throwIfAborted();
      if (seen.has(digest)) continue;
      seen.add(digest);
      if (await isWhole(digest, content)) continue;
      faults++;
      request.onFault({
        what: `blob ${digest} of ${shownName(images, image)}`,
        ...(await mend(images, image, digest, request)),
      });
    }
    for (const layer of image.layers) {
      if (seen.has(`layer ${layer.diffId}`)) continue;
      seen.add(`layer ${layer.diffId}`);
      if (await layers.has(layer.diffId)) continue;
      faults++;
      request.onFault({
        what: `unpacked layer ${layer.diffId} of ${shownName(images, image)}`,
        ...(request.repair ? await unpackAgain(images, layer) : { outcome: "missing", isMended: false }),
      });
    }
  }
  return { checked: seen.size, faults };
}

async function isWhole(digest: Digest, content: { verify(digest: Digest): Promise<boolean> }): Promise<boolean> {
  try {
    return await content.verify(digest);
  } catch (error) {
    if (["ENOENT", "EIO"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  }
}

/** Pulls a blob again, from the first registry that has it. */
async function mend(images: Images, image: ImageRecord, digest: Digest, request: CheckRequest): Promise<Outcome> {
  if (!request.repair) return { outcome: "damaged", isMended: false };
  const stores = await images.stores();
  const { content, fetcher } = stores;
  const registries = await images.registrySettings.registries();
  const size = sizeIn(image, digest);
  await content.remove(digest);
  for (const place of placesOf(images, image)) {
    const sessions = registries.sessions(place, request.credentials);
    try {
      if (size === undefined) {
        const { getManifest } = await import("../../images/registry-client.ts");
        const [session] = sessions.slice(-1);
        if (session === undefined) continue;
        await content.put((await getManifest(session, digest, digest, request.signal)).raw);
      } else await fetcher.fetch({ digest, size }, { sessions, ...(request.signal && { signal: request.signal }) });
      await stores.sync();
      return { outcome: "damaged, and brought again", isMended: true };
    } catch (error) {
      request.signal?.throwIfAborted();
      if (!(error instanceof OrlopError)) throw error;
      log("warn", `${place.host}/${place.repository} does not give ${digest}`, error);
    }
  }
  return { outcome: "damaged, and no registry of its names has it: pull or load the image again", isMended: false };
}

async function unpackAgain(images: Images, layer: ImageLayer): Promise<Outcome> {
  try {
    const stores = await images.stores();
    await stores.ensureLayer({ ...layer, size: layer.sizeBytes });
    await stores.sync();
    return { outcome: "missing, and unpacked again", isMended: true };
  } catch (error) {
    if (!(error instanceof OrlopError)) throw error;
    return { outcome: `missing, and cannot be unpacked: ${error.message}`, isMended: false };
  }
}

/** For a layer or a configuration; undefined for a manifest or an index, which have another URL. */
function sizeIn(image: ImageRecord, digest: Digest): number | undefined {
  return (
    formsOf(image)
      .flatMap(({ layers, beside = [] }) => [...layers, ...beside.filter(({ isManifest }) => !isManifest)])
      .find((one) => one.digest === digest)?.sizeBytes ?? (digest === image.id ? image.configBytes : undefined)
  );
}

/** The repositories of the image's names. */
function placesOf(images: Images, image: ImageRecord): Reference[] {
  const all = images.table.namesOf(image.id).map(({ reference }) => parseReference(reference));
  return [...new Map(all.map((one) => [`${one.host}/${one.repository}`, one])).values()];
}

function shownName(images: Images, image: ImageRecord): string {
  return images.table.namesOf(image.id)[0]?.reference ?? image.id;
}
