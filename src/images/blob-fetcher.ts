/** Downloads each blob once, however many pulls want it, and limits the number of simultaneous downloads. */
import type { Digest } from "../spec/digest.ts";
import { type Blob, downloadBlob } from "./blob-download.ts";
import type { ContentStore } from "./content-store.ts";
import type { RegistrySession } from "./registry-session.ts";

/** Docker's default. */
const downloadsMax = 3;

interface Flight {
  readonly done: Promise<void>;
  readonly watchers: Set<(doneBytes: number) => void>;
  readonly controller: AbortController;
  doneBytes: number;
}

export interface FetchOptions {
  readonly sessions: readonly RegistrySession[];
  readonly onProgress?: (doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

export class BlobFetcher {
  readonly #store: ContentStore;
  readonly #flights = new Map<Digest, Flight>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(store: ContentStore) {
    this.#store = store;
  }

  /** Blobs that are being downloaded, whose partial files garbage collection must keep. */
  get underWay(): ReadonlySet<Digest> {
    return new Set(this.#flights.keys());
  }

  /**
   * Settles when the blob is in the store. A caller whose signal is aborted leaves; the download is aborted with the last one.
   *
   * @returns false when the blob was here already
   */
  async fetch(blob: Blob, options: FetchOptions): Promise<boolean> {
    options.signal?.throwIfAborted();
    for (let flight = this.#flights.get(blob.digest); flight !== undefined; flight = this.#flights.get(blob.digest)) {
      if (!flight.controller.signal.aborted) return this.#join(flight, options);
      await flight.done.catch(() => undefined); // abandoned by all callers and about to end; then we begin a new one
    }
    // registered before the first await, so that a second caller finds it
    const begun = this.#begin(blob, options.sessions);
    return this.#join(begun, options);
  }

  #begin(blob: Blob, sessions: readonly RegistrySession[]): Flight {
    const controller = new AbortController();
    const watchers: Flight["watchers"] = new Set();
    const onProgress = (doneBytes: number): void => {
      flight.doneBytes = doneBytes;
      for (const watcher of watchers) watcher(doneBytes);
    };
    const run = async (): Promise<void> => {
      if ((await this.#store.sizeOf(blob.digest)) === blob.size) return;
      await this.#inTurn(() =>
        downloadBlob({ sessions, store: this.#store, blob, onProgress, signal: controller.signal }),
      );
    };
    const done = run().finally(() => this.#flights.delete(blob.digest));
    done.catch(() => undefined); // it may have no caller left
    const flight: Flight = { done, watchers, controller, doneBytes: 0 };
    this.#flights.set(blob.digest, flight);
    return flight;
  }

  async #join(flight: Flight, { onProgress, signal }: FetchOptions): Promise<boolean> {
    const watcher = onProgress ?? ((): void => undefined);
    const own = (doneBytes: number): void => watcher(doneBytes);
    flight.watchers.add(own);
    if (flight.doneBytes > 0) own(flight.doneBytes);
    try {
      await abortable(flight.done, signal);
      return flight.doneBytes > 0;
    } finally {
      flight.watchers.delete(own);
      if (flight.watchers.size === 0) flight.controller.abort(signal?.reason);
    }
  }

  async #inTurn(run: () => Promise<void>): Promise<void> {
    if (this.#running >= downloadsMax) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      await run();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

/** The promise's outcome, or the signal's reason if it is aborted first. */
async function abortable(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return promise;
  const aborted = Promise.withResolvers<void>();
  const stop = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
