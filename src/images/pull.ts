/** Pull: from a reference to an image whose manifest, configuration and layers are in the store, every byte verified. */
import { OrlopError } from "../base/errors.ts";
import { point } from "../base/point.ts";
import type { Digest } from "../spec/digest.ts";
import type { Descriptor, ImageConfig, Index, Manifest } from "../spec/oci-image.ts";
import { checkIsImage, configMax, isManifestType, parseImageConfig } from "../spec/oci-image-parse.ts";
import type { Platform } from "../spec/platform.ts";
import { familiarReference, type Reference } from "../spec/reference.ts";
import { Arrival, type ArrivingBlob } from "./arriving-blob.ts";
import type { BlobFetcher } from "./blob-fetcher.ts";
import { chooseManifest } from "./choose-manifest.ts";
import type { ContentStore } from "./content-store.ts";
import type { Lease } from "./leases.ts";
import { getManifest } from "./registry-client.ts";
import type { RegistrySession } from "./registry-session.ts";

/** How deep indexes may be nested: an index, in an index, and the image. */
const depthMax = 3;

export interface PullOptions {
  readonly reference: Reference;
  readonly platform: Platform;
  /** In the order to try: mirrors first, the registry itself last. */
  readonly sessions: readonly RegistrySession[];
  readonly store: ContentStore;
  readonly fetcher: BlobFetcher;
  /** Holds every blob of the image; the caller lets go once something durable names the image. */
  readonly lease: Lease;
  readonly onEvent: (event: PullEvent) => void;
  /**
   * A layer is in the store, or on its way there: unpacking can begin. Its promise belongs to the pull. What is wrong with a
   * layer on its way is asked once more when it is there: then its bytes are known to be right, and the fault is the layer's.
   */
  readonly onLayer?: (layer: PulledLayer) => Promise<void>;
  readonly signal?: AbortSignal;
}

export interface PulledLayer {
  readonly layer: Descriptor;
  /** Among the image's layers; 0 is the lowest. */
  readonly position: number;
  readonly image: PulledImage;
  /** It is not in the store yet. */
  readonly arriving?: ArrivingBlob;
  /** Aborted when the pull ends early. */
  readonly signal: AbortSignal;
}

export type PullEvent =
  | { readonly kind: "resolved"; readonly digest: Digest; readonly layers: readonly Descriptor[] }
  | { readonly kind: "downloading"; readonly layer: Descriptor; readonly doneBytes: number }
  | { readonly kind: "downloaded"; readonly layer: Descriptor; readonly wasHere: boolean };

export interface PulledImage {
  /** What the reference names: an index, or the manifest itself. */
  readonly target: Descriptor;
  /** Everything that was read on the way, the outermost first; the manifest is the last. */
  readonly documents: readonly (Manifest | Index)[];
  readonly manifest: Manifest;
  readonly config: ImageConfig;
}

/** @throws {OrlopError} manifest_unknown, no_matching_platform, unsupported_image, registry_*, digest_mismatch, … */
export async function pullImage(options: PullOptions): Promise<PulledImage> {
  const { reference, store, onEvent } = options;
  const name = familiarReference(reference);
  const { documents, manifest } = await resolve(options, name);
  checkIsImage(manifest, name);
  const blobs = [...documents, manifest.config, ...manifest.layers];
  point("pull.resolved");
  options.lease.hold(blobs.map(({ digest }) => digest));
  onEvent({ kind: "resolved", digest: documents[0]?.digest ?? manifest.digest, layers: manifest.layers });
  const image = await fetchImage(options, documents, manifest);
  // the documents come last: whoever finds a manifest in the store finds all that it names
  point("pull.layers");
  for (const document of documents.toReversed()) await store.put(document.raw);
  return image;
}

/** Follows the reference to one image's manifest. documents: all that were read, the outermost first. */
async function resolve(
  options: PullOptions,
  name: string,
): Promise<{ documents: (Manifest | Index)[]; manifest: Manifest }> {
  const { reference, platform } = options;
  const documents: (Manifest | Index)[] = [];
  let target: string = reference.digest ?? reference.tag ?? "latest";
  for (let depth = 0; depth < depthMax; depth++) {
    const document = await fromFirst(options, (session) => getManifest(session, target, name, options.signal));
    documents.push(document);
    if (document.kind === "manifest") return { documents, manifest: document };
    const chosen = chooseManifest(document, platform, name);
    if (!isManifestType(chosen.mediaType))
      throw OrlopError.of("unsupported_image", {
        name,
        what: `an index entry of type ${chosen.mediaType.slice(0, 100)}`,
      });
    target = chosen.digest;
  }
  const reason = `indexes are nested over ${depthMax} deep`;
  throw OrlopError.of("bad_manifest", { name, what: "index", reason });
}

/** The first source's answer; a mirror's failure leads to the next one, the registry's own is final. */
async function fromFirst<T>(
  { sessions, signal }: PullOptions,
  ask: (session: RegistrySession) => Promise<T>,
): Promise<T> {
  for (const session of sessions.slice(0, -1)) {
    try {
      return await ask(session);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof OrlopError)) throw error;
    }
  }
  const last = sessions.at(-1);
  if (last === undefined) throw OrlopError.of("internal", { reason: "a pull without a registry" });
  return ask(last);
}

/** stored: the configuration is in the store. */
interface ComingConfig {
  readonly config: Promise<ImageConfig>;
  readonly stored: Promise<unknown>;
}

/** It is read as soon as its bytes are there: layers need not wait until the disk has it. */
function fetchConfig(
  { reference, fetcher, store, sessions }: PullOptions,
  { config, layers }: Manifest,
  signal: AbortSignal,
): ComingConfig {
  const whole = Promise.withResolvers<void>();
  const onProgress = (doneBytes: number): void => {
    if (doneBytes === config.size) whole.resolve();
  };
  const stored = fetcher.fetch(config, { sessions, onProgress, signal });
  const read = async (): Promise<Uint8Array> => {
    await Promise.race([whole.promise, stored]);
    try {
      return await store.readArriving(config.digest, configMax);
    } catch {
      await stored; // it was not what was asked for, which this says; or it came a second time
      return store.read(config.digest, configMax);
    }
  };
  const parsed = read().then((raw) =>
    parseImageConfig(raw, config.digest, layers.length, familiarReference(reference)),
  );
  return { config: parsed, stored };
}

/** Configuration and layers, side by side: they are one way to the registry and back less than one after the other. */
async function fetchImage(
  options: PullOptions,
  documents: readonly (Manifest | Index)[],
  manifest: Manifest,
): Promise<PulledImage> {
  const { fetcher, store, sessions, onEvent, onLayer } = options;
  // one failure ends the other downloads of this pull; what they brought stays for the next
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const { config, stored } = fetchConfig(options, manifest, signal);
  const coming = config.then((config): PulledImage => {
    const target = descriptorOf(documents[0] ?? manifest, manifest === documents[0] ? config.platform : undefined);
    return { target, documents, manifest, config };
  });
  for (const part of [coming, stored]) part.catch((error) => stop.abort(error));
  const one = async (layer: Descriptor, position: number): Promise<void> => {
    const given = { layer, position, signal };
    const verified = Promise.withResolvers<void>();
    verified.promise.catch(() => undefined); // nobody may have begun to unpack
    const paths = [store.ingestPathOf(layer.digest), store.pathOf(layer.digest)];
    const arriving = new Arrival(paths, layer.size, verified.promise);
    let early: Promise<"done" | "again"> | undefined;
    const onProgress = (doneBytes: number): void => {
      onEvent({ kind: "downloading", layer, doneBytes });
      arriving.grow(doneBytes);
      early ??= coming.then((image) => onLayer?.({ ...given, image, arriving })).then(() => "done", again);
      early?.catch((error) => stop.abort(error));
    };
    try {
      const came = await fetcher.fetch(layer, { sessions, onProgress, signal });
      onEvent({ kind: "downloaded", layer, wasHere: !came });
      verified.resolve();
    } catch (error) {
      verified.reject(error);
      stop.abort(error); // before the wait: it ends the unpacking
      await early?.catch(() => undefined);
      throw error;
    }
    if ((await early) !== "done") await onLayer?.({ ...given, image: await coming });
  };
  const results = await Promise.allSettled([
    stored,
    ...manifest.layers.map((layer, position) =>
      one(layer, position).catch((error) => {
        stop.abort(error);
        throw error;
      }),
    ),
  ]);
  options.signal?.throwIfAborted();
  // the first cause, not the aborts that it made
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw stop.signal.reason;
  return coming;
}

/** What went wrong with a layer that was still coming may be the fault of bytes that are not its own; what the machine refuses is not. */
function again(error: unknown): "again" {
  if (error instanceof OrlopError && (error.code === "executor_lost" || error.code === "layer_failed")) throw error;
  return "again";
}

function descriptorOf(document: Manifest | Index, platform: Platform | undefined): Descriptor {
  const { mediaType, digest, raw } = document;
  return { mediaType, digest, size: raw.length, ...(platform === undefined ? {} : { platform }) };
}
