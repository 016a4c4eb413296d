/**
 * Uploads one blob from the store to a repository: not at all when it is there, by mounting it from another repository, or in chunks
 * that can be resumed (distribution spec, "Pushing blobs").
 */
import { openAsBlob } from "node:fs";
import { OrlopError } from "../base/errors.ts";
import { parseUploadRange } from "../spec/distribution.ts";
import { attemptsMax, backoffMs } from "./backoff.ts";
import type { Blob } from "./blob-download.ts";
import type { ContentStore } from "./content-store.ts";
import type { RegistrySession, SessionRequest } from "./registry-session.ts";
import { type HttpAnswer, shown } from "./registry-transport.ts";

/** What a broken connection can cost, and the memory of an upload. */
const chunkBytes = 8 << 20;

export interface UploadOptions {
  readonly session: RegistrySession;
  readonly store: ContentStore;
  readonly blob: Blob;
  /** A repository on the same host that is known to have the blob. */
  readonly mountFrom?: string;
  readonly onProgress: (doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

export type UploadOutcome = "was-there" | "mounted" | "uploaded";

/** @throws {OrlopError} blob_unknown (not in the store), registry_* */
export async function uploadBlob(options: UploadOptions): Promise<UploadOutcome> {
  const { blob, store } = options;
  if (await isThere(options)) return "was-there";
  if ((await store.sizeOf(blob.digest)) !== blob.size) throw OrlopError.of("blob_unknown", { digest: blob.digest });
  const begun = await begin(options);
  if (begun === undefined) return "mounted";
  const end = await sendChunks(options, begun);
  await finish(options, end);
  return "uploaded";
}

function ask(options: UploadOptions, request: Omit<SessionRequest, "signal" | "actions">): Promise<HttpAnswer> {
  const { session, signal } = options;
  return session.send({ ...request, actions: "pull,push", ...(signal === undefined ? {} : { signal }) });
}

async function isThere(options: UploadOptions): Promise<boolean> {
  const { response } = await ask(options, { method: "HEAD", path: `blobs/${options.blob.digest}`, expect: [200, 404] });
  return response.status === 200;
}

/** Begins an upload, and returns its address; undefined when the registry has mounted the blob. */
async function begin(options: UploadOptions): Promise<URL | undefined> {
  const { blob, mountFrom } = options;
  const query = mountFrom === undefined ? "" : `?mount=${blob.digest}&from=${encodeURIComponent(mountFrom)}`;
  const from = mountFrom === undefined ? {} : { from: mountFrom };
  const answer = await ask(options, { method: "POST", path: `blobs/uploads/${query}`, expect: [201, 202], ...from });
  await answer.response.body?.cancel();
  return answer.response.status === 201 ? undefined : locationOf(answer);
}

/** The address of the next request, from an answer. Must be on the registry's host, because it gets our authorization. */
function locationOf({ response, url }: HttpAnswer): URL {
  const location = response.headers.get("location");
  const broken = (reason: string): OrlopError => OrlopError.of("registry_broken", { url: shown(url), reason });
  if (location === null || !URL.canParse(location, url.href)) throw broken("an upload without an address");
  const next = new URL(location, url.href);
  if (next.host !== url.host) throw broken("an upload is sent to another host");
  next.protocol = url.protocol; // a registry behind a proxy may not know its own scheme
  return next;
}

/** Sends chunk after chunk; after a failure, asks how much the registry has. Returns the last address. */
async function sendChunks(options: UploadOptions, begun: URL): Promise<URL> {
  const { blob, store, onProgress, signal, session } = options;
  const content = await openAsBlob(store.pathOf(blob.digest));
  let location = begun;
  let failed = 0;
  for (let done = 0; done < blob.size; ) {
    const end = Math.min(done + chunkBytes, blob.size);
    try {
      const answer = await ask(options, {
        method: "PATCH",
        path: location,
        headers: { "content-type": "application/octet-stream", "content-range": `${done}-${end - 1}` },
        body: content.slice(done, end),
        expect: [202],
        attempts: 1,
      });
      await answer.response.body?.cancel();
      location = locationOf(answer);
      done = parseUploadRange(answer.response.headers.get("range")) ?? end;
      failed = 0;
    } catch (error) {
      failed++;
      if (failed >= attemptsMax || !(error instanceof OrlopError) || error.kind !== "unavailable") throw error;
      await session.options.wait(backoffMs(failed, undefined, session.options.random()), signal);
      const status = await uploadStatus(options, location);
      ({ location, done } = status);
    }
    onProgress(done);
  }
  return location;
}

/** How much of an upload the registry has (204 with Range). */
async function uploadStatus(options: UploadOptions, location: URL): Promise<{ location: URL; done: number }> {
  const answer = await ask(options, { method: "GET", path: location, expect: [204] });
  await answer.response.body?.cancel();
  const done = parseUploadRange(answer.response.headers.get("range")) ?? 0;
  const known = answer.response.headers.get("location") !== null;
  return { location: known ? locationOf(answer) : location, done: Math.min(done, options.blob.size) };
}

async function finish(options: UploadOptions, location: URL): Promise<void> {
  const url = new URL(location);
  url.searchParams.set("digest", options.blob.digest);
  const { response } = await ask(options, { method: "PUT", path: url, expect: [201, 204] });
  await response.body?.cancel();
}
