/**
 * The store of what must last: a change is acknowledged when it is on the disk. The writing is done in a Worker,
 * because a sync on the main thread would stall every stream of every container for as long as the disk takes.
 */

import { OrlopError } from "../base/errors.ts";
import { openDatabase } from "../platform/sqlite.ts";
import { startWorker } from "../platform/worker.ts";
import type { Acknowledgement, Order } from "./durable-worker.ts";
import { type Change, type RecordKind, type RecordStore, type Row, Rows } from "./rows.ts";
import { migrate } from "./schema.ts";

type Waiting = PromiseWithResolvers<void>;

export class DurableStore implements RecordStore {
  readonly #path: string;
  /** Started with the first change: an engine of `--rm` containers alone never needs it. */
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #sequence = 0;

  constructor(path: string) {
    this.#path = path;
    const database = openDatabase(path, "full");
    try {
      migrate(database, path);
    } finally {
      database.close();
    }
  }

  load(kind: RecordKind): Row[] {
    const database = openDatabase(this.#path, "full");
    try {
      return new Rows(database).load(kind);
    } finally {
      database.close();
    }
  }

  apply(...changes: readonly Change[]): Promise<void> {
    return this.#order(this.#start(), { changes });
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    await Promise.allSettled([...this.#waiting.values()].map((one) => one.promise));
    await this.#order(worker, { close: true });
    worker.terminate();
  }

  #order(worker: Worker, what: { readonly changes: readonly Change[] } | { readonly close: true }): Promise<void> {
    const sequence = ++this.#sequence;
    const waiting: Waiting = Promise.withResolvers();
    this.#waiting.set(sequence, waiting);
    worker.postMessage({ sequence, ...what } satisfies Order);
    return waiting.promise;
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = startWorker("store/durable-worker.ts");
    worker.postMessage({ open: this.#path } satisfies Order);
    worker.onmessage = ({ data }: MessageEvent<Acknowledgement>) => this.#settle(data);
    worker.onerror = (event) => this.#fail(new Error(`the store's worker failed: ${event.message}`));
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  #settle({ sequences, error }: Acknowledgement): void {
    for (const sequence of sequences) {
      const waiting = this.#waiting.get(sequence);
      this.#waiting.delete(sequence);
      if (error === undefined) waiting?.resolve();
      else if (error.code !== undefined) waiting?.reject(OrlopError.again(error.code, error.message));
      else waiting?.reject(new Error(`the change could not be stored: ${error.message}`));
    }
  }

  #fail(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
