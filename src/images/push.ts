/** Push: blobs, then the manifests that name them, then the tagged one. Nothing refers to what is not uploaded yet. */
import { OrlopError } from "../base/errors.ts";
import type { Digest } from "../spec/digest.ts";
import type { Descriptor, Index, Manifest } from "../spec/oci-image.ts";
import { type UploadOutcome, uploadBlob } from "./blob-upload.ts";
import type { ContentStore } from "./content-store.ts";
import type { RegistrySession } from "./registry-session.ts";
import { shown } from "./registry-transport.ts";

/** Docker's default. */
const uploadsMax = 5;

export interface PushOptions {
  readonly session: RegistrySession;
  readonly store: ContentStore;
  /** In an order in which each comes after those that it names; the last one gets the tag. */
  readonly documents: readonly (Manifest | Index)[];
  readonly tag: string;
  /** A repository on the same host that is known to have a blob. */
  readonly mountFrom?: (digest: Digest) => string | undefined;
  readonly onEvent: (event: PushEvent) => void;
  readonly signal?: AbortSignal;
}

export type PushEvent =
  | { readonly kind: "uploading"; readonly blob: Descriptor; readonly doneBytes: number }
  | { readonly kind: "uploaded"; readonly blob: Descriptor; readonly outcome: UploadOutcome };

/** @throws {OrlopError} blob_unknown, registry_* */
export async function pushImage(options: PushOptions): Promise<void> {
  const { documents, signal } = options;
  const stop = new AbortController();
  const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  // an image may have a layer twice; it is sent once
  const needed = documents.flatMap((one) => (one.kind === "index" ? [] : [...one.layers, one.config]));
  const blobs = new Map(needed.map((blob) => [blob.digest, blob]));
  const waiting = [...blobs.values()];
  const work = async (): Promise<void> => {
    for (let blob = waiting.shift(); blob !== undefined; blob = waiting.shift()) await pushBlob(options, blob, both);
  };
  const workers = Array.from({ length: uploadsMax }, () =>
    work().catch((error) => {
      stop.abort(error);
      throw error;
    }),
  );
  const failed = (await Promise.allSettled(workers)).some(({ status }) => status === "rejected");
  signal?.throwIfAborted();
  if (failed) throw stop.signal.reason;
  for (const document of documents) {
    const name = document === documents.at(-1) ? options.tag : document.digest;
    await putManifest(options.session, document, name, signal);
  }
}

async function pushBlob(options: PushOptions, blob: Descriptor, signal: AbortSignal): Promise<void> {
  const mountFrom = options.mountFrom?.(blob.digest);
  const outcome = await uploadBlob({
    session: options.session,
    store: options.store,
    blob,
    onProgress: (doneBytes) => options.onEvent({ kind: "uploading", blob, doneBytes }),
    signal,
    ...(mountFrom === undefined ? {} : { mountFrom }),
  });
  options.onEvent({ kind: "uploaded", blob, outcome });
}

/** Puts a manifest or an index under a tag (or its digest). @throws {OrlopError} registry_* */
async function putManifest(
  session: RegistrySession,
  document: Manifest | Index,
  tag: string,
  signal?: AbortSignal,
): Promise<void> {
  const { response, url } = await session.send({
    method: "PUT",
    path: `manifests/${tag}`,
    headers: { "content-type": document.mediaType },
    body: document.raw,
    actions: "pull,push",
    expect: [201],
    ...(signal === undefined ? {} : { signal }),
  });
  await response.body?.cancel();
  const digest = response.headers.get("docker-content-digest");
  if (digest !== null && digest !== document.digest)
    throw OrlopError.of("registry_broken", {
      url: shown(url),
      reason: `it stored the manifest as ${digest.slice(0, 80)}`,
    });
}
