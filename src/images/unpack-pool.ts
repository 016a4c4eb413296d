/**
 * Unpacks layers in threads of their own, two at a time: one decompresses 0.36 GB/s, and the executor writes in a process
 * of its own besides. Threads are started when there is work, and end when there is none: an idle engine has none.
 */
import { OrlopError } from "../base/errors.ts";
import { startWorker } from "../platform/worker.ts";
import type { Digest } from "../spec/digest.ts";
import { defaultLayerLimits, type LayerLimits } from "./plan-layer.ts";
import type { UnpackedLayer } from "./unpack-layer.ts";
import type { UnpackOrder, UnpackReport } from "./unpack-message.ts";

const threadsMax = 2;

export interface UnpackJob {
  readonly blob: string;
  readonly diffId: Digest;
  /** Empty, and nobody's but ours until this has settled. */
  readonly directory: string;
  readonly onProgress?: (doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

export class UnpackPool {
  readonly #controlSocket: string;
  readonly #limits: LayerLimits;
  readonly #idle: Worker[] = [];
  readonly #waiting: ((worker: Worker) => void)[] = [];
  #threads = 0;

  constructor(controlSocket: string, limits: LayerLimits = defaultLayerLimits) {
    this.#controlSocket = controlSocket;
    this.#limits = limits;
  }

  /** Settles when the layer is whole, verified and on the disk. @throws {OrlopError} as unpackLayer */
  async unpack(job: UnpackJob): Promise<UnpackedLayer> {
    job.signal?.throwIfAborted();
    const worker = await this.#acquire();
    try {
      job.signal?.throwIfAborted();
      return await this.#run(worker, job);
    } finally {
      this.#release(worker);
    }
  }

  #run(worker: Worker, job: UnpackJob): Promise<UnpackedLayer> {
    const { blob, diffId, directory, onProgress, signal } = job;
    const outcome = Promise.withResolvers<UnpackedLayer>();
    const stop = (): void => worker.postMessage({ kind: "abort" } satisfies UnpackOrder);
    signal?.addEventListener("abort", stop, { once: true });
    worker.onmessage = ({ data }: MessageEvent<UnpackReport>) => {
      if (data.kind === "progress") onProgress?.(data.doneBytes);
      else if (data.kind === "unpacked") outcome.resolve(data.layer);
      else outcome.reject(signal?.aborted === true ? signal.reason : errorOf(data));
    };
    worker.onerror = (event) => outcome.reject(OrlopError.of("internal", { reason: event.message }));
    const order = { blob, diffId, directory, controlSocket: this.#controlSocket, limits: this.#limits };
    worker.postMessage({ kind: "unpack", ...order } satisfies UnpackOrder);
    return outcome.promise.finally(() => signal?.removeEventListener("abort", stop));
  }

  async #acquire(): Promise<Worker> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#threads < threadsMax) {
      this.#threads++;
      return startWorker("images/unpack-worker.ts");
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** To the next in line; the last one sends all threads home. They are idle then, so ending them is safe. */
  #release(worker: Worker): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next(worker);
      return;
    }
    this.#idle.push(worker);
    if (this.#idle.length < this.#threads) return;
    for (const one of this.#idle.splice(0)) one.terminate();
    this.#threads = 0;
  }
}

function errorOf({ code, message }: UnpackReport & { kind: "failed" }): Error {
  return code === undefined ? OrlopError.of("internal", { reason: message }) : OrlopError.again(code, message);
}
