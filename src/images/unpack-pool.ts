/**
 * Unpacks layers in threads. Each thread works on several layers, so that a slow download holds up nothing else, and for each layer an
 * executor process writes the files. Threads are started when there is work, and end some seconds after it: an idle engine has none.
 * Small layers are unpacked in the engine's own thread, in less time than a thread takes to start.
 */
import { availableParallelism } from "node:os";
import { OrlopError } from "../base/errors.ts";
import { preferMainThread } from "../kernel/thread-priority.ts";
import { startWorker } from "../platform/worker.ts";
import type { Digest } from "../spec/digest.ts";
import type { ArrivingBlob } from "./arriving-blob.ts";
import { defaultLayerLimits, type LayerLimits } from "./plan-layer.ts";
import type { UnpackedLayer } from "./unpack-layer.ts";
import type { UnpackOrder, UnpackReport } from "./unpack-message.ts";

/**
 * The executor and the engine's own thread work at the same time: on two processors a second thread only compiles all of this
 * again (0.6 of 6 seconds for 1.3 GB).
 */
const threadsMax = availableParallelism() > 2 ? 2 : 1;
/** One more than simultaneous downloads, so that a complete layer is unpacked even if all others arrive slowly. */
const jobsMax = 4;
/** Of blobs, between two times that what was written is sent on its way to the disk. */
const betweenWritebacks = 32 << 20;

/** Bytes of blobs up to which no thread is used: a few dozen pieces of a millisecond or two each, between which the engine does other work. */
const smallBytes = 8 << 20;

/** How long an idle thread is kept: it has compiled this code, which an image that follows soon then need not do again. */
const lingerMs = 5000;

/** Bytes of an arriving blob between two messages to the thread that reads it. */
const betweenTold = 256 * 1024;

export interface UnpackJob {
  /** The layer's blob: a file, or one that is still arriving. */
  readonly blob: { readonly path: string; readonly sizeBytes: number } | ArrivingBlob;
  readonly diffId: Digest;
  /** See UnpackOptions. */
  readonly isBlobHashed?: boolean;
  /** Empty, and used by nobody else until this has settled. */
  readonly directory: string;
  readonly onProgress?: (doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface UnpackPoolOptions {
  readonly controlSocket: string;
  readonly limits?: LayerLimits;
  /** Starts writing to the disk what was written so far, so that the sync at a layer's end is short. */
  readonly writeBack?: () => Promise<void>;
}

interface Thread {
  /** undefined: the engine's own thread. */
  readonly worker?: Worker;
  send(order: UnpackOrder): void;
  readonly listeners: Map<number, (report: UnpackReport) => void>;
  /** Bytes of the blobs that it is working on. */
  leftBytes: number;
}

export class UnpackPool {
  readonly #options: UnpackPoolOptions;
  readonly #threads: Thread[] = [];
  readonly #waiting: (() => void)[] = [];
  #here: Promise<Thread> | undefined;
  #running = 0;
  #expecting = 0;
  #jobs = 0;
  #writtenBytes = 0;
  #writing = false;
  #isEngineFirst = false;
  #lingering: NodeJS.Timeout | undefined;

  constructor(options: UnpackPoolOptions) {
    this.#options = options;
  }

  /** Settles when the layer is complete, verified and on the disk. @throws {OrlopError} as unpackLayer */
  async unpack(job: UnpackJob): Promise<UnpackedLayer> {
    job.signal?.throwIfAborted();
    if (this.#running < jobsMax) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      job.signal?.throwIfAborted();
      return await this.#run(job);
    } finally {
      this.#leave();
    }
  }

  /** Announces so many bytes, for which a thread is started in advance if needed. Dispose of it when they have come. */
  expect(blobBytes: number): Disposable {
    this.#expecting++;
    if (this.#threads.length === 0 && blobBytes > smallBytes) this.#startThread();
    return {
      [Symbol.dispose]: () => {
        this.#expecting--;
        this.#endThreads();
      },
    };
  }

  async #run({ blob, diffId, isBlobHashed = false, ...rest }: UnpackJob): Promise<UnpackedLayer> {
    const { directory, onProgress, signal } = rest;
    const job = this.#jobs++;
    const { sizeBytes } = blob;
    const chosen = this.#thread(sizeBytes);
    // without an await if possible, so that the next job sees this one's thread
    const thread = chosen instanceof Promise ? await chosen : chosen;
    signal?.throwIfAborted();
    if (thread.worker !== undefined) this.#putEngineFirst();
    const isComing = "watch" in blob;
    const outcome = Promise.withResolvers<UnpackedLayer>();
    const stop = (): void => thread.send({ kind: "abort", job });
    let doneBytes = 0;
    const done = (bytes: number): void => {
      thread.leftBytes -= bytes - doneBytes;
      this.#written(bytes - doneBytes);
      doneBytes = bytes;
    };
    thread.leftBytes += sizeBytes;
    thread.listeners.set(job, (report) => {
      if (report.kind === "progress") {
        done(report.doneBytes);
        onProgress?.(report.doneBytes);
      } else if (report.kind === "unpacked") outcome.resolve(report.layer);
      else outcome.reject(signal?.aborted === true ? signal.reason : errorOf(report));
    });
    const { controlSocket, limits = defaultLayerLimits } = this.#options;
    const paths = isComing ? blob.paths : [blob.path];
    const availableBytes = isComing ? blob.availableBytes : sizeBytes;
    const order = { job, paths, sizeBytes, availableBytes, diffId, isBlobHashed, directory, controlSocket, limits };
    thread.send({ kind: "unpack", ...order });
    signal?.addEventListener("abort", stop, { once: true });
    let toldBytes = availableBytes;
    const more = (bytes: number): void => {
      if (bytes - toldBytes < betweenTold && bytes < sizeBytes) return;
      toldBytes = bytes;
      thread.send({ kind: "more", job, availableBytes: bytes });
    };
    using _watch = isComing ? blob.watch(more, stop) : undefined;
    try {
      return await outcome.promise;
    } finally {
      signal?.removeEventListener("abort", stop);
      thread.listeners.delete(job);
      thread.leftBytes -= sizeBytes - doneBytes;
    }
  }

  /** The engine's own for what is small when no other is there; a new one while there may be more; else the one with the least to do. */
  #thread(blobBytes: number): Thread | Promise<Thread> {
    if (this.#threads.length === 0 && blobBytes <= smallBytes) {
      this.#here ??= openHere();
      return this.#here;
    }
    const idle = this.#threads.find(({ listeners }) => listeners.size === 0);
    if (idle !== undefined) return idle;
    if (this.#threads.length < threadsMax) return this.#startThread();
    return this.#threads.reduce((least, one) => (one.leftBytes < least.leftBytes ? one : least));
  }

  #startThread(): Thread {
    const worker = startWorker("images/unpack-worker.ts");
    const send = (order: UnpackOrder): void => worker.postMessage(order);
    const thread: Thread = { worker, send, listeners: new Map(), leftBytes: 0 };
    worker.onmessage = ({ data }: MessageEvent<UnpackReport>) => thread.listeners.get(data.job)?.(data);
    worker.onerror = ({ message }) => {
      for (const [job, listen] of thread.listeners) listen({ kind: "failed", job, message });
    };
    worker.unref(); // a job keeps the engine alive, an idle thread does not
    this.#threads.push(thread);
    return thread;
  }

  /** Its own thread answers requests meanwhile: it waits behind no layer. */
  #putEngineFirst(): void {
    this.#isEngineFirst = true;
    preferMainThread(true);
  }

  #written(bytes: number): void {
    this.#writtenBytes += bytes;
    const { writeBack } = this.#options;
    if (this.#writing || this.#writtenBytes < betweenWritebacks || writeBack === undefined) return;
    this.#writtenBytes = 0;
    if (this.#isEngineFirst) this.#putEngineFirst(); // of threads that came meanwhile, too
    this.#writing = true;
    // an error here will occur at the layer's end too, and is reported there
    const over = (): void => {
      this.#writing = false;
    };
    writeBack().then(over, over);
  }

  /** The next in line goes on; the last one sees to it that the threads end. They are idle then, so ending them is safe. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next();
      return;
    }
    this.#running--;
    this.#endThreads();
  }

  #endThreads(): void {
    if (this.#running > 0 || this.#expecting > 0) return;
    this.#writtenBytes = 0;
    if (this.#isEngineFirst) preferMainThread(false);
    this.#isEngineFirst = false;
    clearTimeout(this.#lingering);
    this.#lingering = setTimeout(() => {
      if (this.#running === 0 && this.#expecting === 0)
        for (const { worker } of this.#threads.splice(0)) worker?.terminate();
    }, lingerMs);
    this.#lingering.unref();
  }
}

/** Its code is loaded when there is something to unpack: most commands of an engine are about something else. */
async function openHere(): Promise<Thread> {
  const { Unpacker } = await import("./unpacker.ts");
  const listeners: Thread["listeners"] = new Map();
  const unpacker = new Unpacker((report) => listeners.get(report.job)?.(report));
  return { send: (order) => unpacker.take(order), listeners, leftBytes: 0 };
}

function errorOf({ code, message }: UnpackReport & { kind: "failed" }): Error {
  return code === undefined ? OrlopError.of("internal", { reason: message }) : OrlopError.again(code, message);
}
