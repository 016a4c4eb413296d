/**
 * The durable store: a change is acknowledged when it is on the disk. A Worker does the writing, because a sync on the main thread would
 * stall every stream of every container for as long as the disk takes.
 */

import { OrlopError } from "../base/errors.ts";
import { openDatabase } from "../platform/sqlite.ts";
import { startWorker } from "../platform/worker.ts";
import type { Acknowledgement, ChangeOrder, Order } from "./durable-worker.ts";
import { type Change, type RecordKind, type RecordStore, type Row, Rows } from "./rows.ts";
import { migrate } from "./schema.ts";

type Waiting = PromiseWithResolvers<void>;

export class DurableStore implements RecordStore {
  readonly #path: string;
  /** Started with the first change: an engine that only has `--rm` containers never needs it. */
  #worker: Worker | undefined;
  /** Changes that were not answered yet. */
  readonly #waiting = new Map<number, Waiting>();
  /** The last of them. */
  #unsent: ChangeOrder[] = [];
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
    const worker = this.#start();
    const { sequence, promise } = this.#expect();
    this.#unsent.push({ sequence, changes });
    if (this.#unsent.length === this.#waiting.size) this.#send(worker); // else it goes with the others, when the last message is answered
    return promise;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    await Promise.allSettled([...this.#waiting.values()].map((one) => one.promise));
    const { sequence, promise } = this.#expect();
    worker.postMessage({ sequence, close: true } satisfies Order);
    await promise;
    worker.terminate();
  }

  #expect(): { readonly sequence: number; readonly promise: Promise<void> } {
    const sequence = ++this.#sequence;
    const waiting: Waiting = Promise.withResolvers();
    this.#waiting.set(sequence, waiting);
    return { sequence, promise: waiting.promise };
  }

  /** Sends all unsent changes in one message, and only to an idle worker: each message wakes it, which costs time in both threads. */
  #send(worker: Worker): void {
    const changes = this.#unsent;
    this.#unsent = [];
    worker.postMessage({ changes } satisfies Order);
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = startWorker("store/durable-worker.ts");
    worker.postMessage({ open: this.#path } satisfies Order);
    worker.onmessage = ({ data }: MessageEvent<Acknowledgement>) => {
      this.#settle(data);
      if (this.#unsent.length > 0 && this.#unsent.length === this.#waiting.size) this.#send(worker);
    };
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
    this.#unsent = [];
  }
}
