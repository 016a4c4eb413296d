/** Downloads one blob into the store: resumes an earlier attempt, verifies, and retries. */
import { OrlopError } from "../base/errors.ts";
import type { Digest } from "../spec/digest.ts";
import { attemptsMax, backoffMs } from "./backoff.ts";
import { readPieces } from "./bounded-body.ts";
import type { ContentStore } from "./content-store.ts";
import type { Ingest } from "./ingest.ts";
import { getBlob } from "./registry-client.ts";
import type { RegistrySession } from "./registry-session.ts";
import { ConnectionFault, shown } from "./registry-transport.ts";

export interface Blob {
  readonly digest: Digest;
  readonly size: number;
}

export interface DownloadOptions {
  /** Sources in the order in which they are tried: mirrors first. */
  readonly sessions: readonly RegistrySession[];
  readonly store: ContentStore;
  readonly blob: Blob;
  /** Called with the bytes of the blob that are here now. */
  readonly onProgress: (doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

/** An attempt that brought at least this much resets the count of failures. A trickle never does. */
const worthwhileBytes = 1 << 20;

/**
 * Downloads a blob; settles when it is verified, synced and under its name.
 *
 * @throws {OrlopError} of the last source: blob_unknown, digest_mismatch, size_mismatch, registry_*
 */
export async function downloadBlob(options: DownloadOptions): Promise<void> {
  const { sessions, store, blob } = options;
  let refusal: unknown;
  for (const [i, session] of sessions.entries()) {
    try {
      await using ingest = await store.openIngest(blob);
      await downloadFrom(session, ingest, options);
      return;
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof OrlopError) || i === sessions.length - 1) throw error;
      refusal = error;
    }
  }
  throw refusal ?? OrlopError.of("blob_unknown", { digest: blob.digest });
}

async function downloadFrom(session: RegistrySession, ingest: Ingest, options: DownloadOptions): Promise<void> {
  const resumed = ingest.offset > 0;
  await receiveAll(session, ingest, options);
  try {
    await ingest.commit();
  } catch (error) {
    // the resumed part may have been damaged (a power loss): the registry gets one chance to send everything
    if (!resumed || !(error instanceof OrlopError) || error.code !== "digest_mismatch") throw error;
    await using fresh = await options.store.openIngest(options.blob);
    await receiveAll(session, fresh, options);
    await fresh.commit();
  }
}

/** Downloads up to the blob's last byte; after a broken connection it resumes where that stopped. */
async function receiveAll(session: RegistrySession, ingest: Ingest, options: DownloadOptions): Promise<void> {
  const { blob, onProgress, signal } = options;
  const { wait, random } = session.options;
  ingest.onWritten = onProgress;
  for (let failed = 0; ingest.offset < blob.size; ) {
    const before = ingest.offset;
    const fault = await receive(session, ingest, options);
    if (fault === undefined) continue;
    signal?.throwIfAborted();
    failed = ingest.offset - before >= worthwhileBytes ? 1 : failed + 1;
    if (failed >= attemptsMax) throw fault;
    await wait(backoffMs(failed, undefined, random()), signal);
  }
  await ingest.flush();
}

/** Takes one response. Returns undefined on success, or an error after which another attempt may succeed; others are thrown. */
async function receive(
  session: RegistrySession,
  ingest: Ingest,
  { blob, signal }: DownloadOptions,
): Promise<OrlopError | undefined> {
  let url = session.options.endpoint.url;
  try {
    const part = await getBlob(session, blob, ingest.offset, signal);
    url = shown(part.url);
    let skip = ingest.offset - part.offset;
    for await (const piece of readPieces(part.response, session.options.stallMs)) {
      signal?.throwIfAborted();
      const taken = piece.subarray(Math.min(skip, piece.length));
      skip -= piece.length - taken.length;
      if (taken.length === 0) continue;
      await ingest.write(taken);
    }
    if (ingest.offset === blob.size) return undefined;
    return OrlopError.of("size_mismatch", {
      what: `blob ${blob.digest}`,
      expected: blob.size,
      actual: `${ingest.offset}`,
    });
  } catch (error) {
    if (error instanceof ConnectionFault)
      return OrlopError.of("registry_unreachable", { url, reason: error.message }, error);
    if (error instanceof OrlopError && mayPass(error)) return error;
    throw error;
  }
}

/** getBlob makes a single attempt, so refusals by an overloaded registry are handled here. */
function mayPass(error: OrlopError): boolean {
  return error.code === "registry_unreachable" || error.code === "registry_failed";
}
