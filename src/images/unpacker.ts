/** Unpacks several layers at a time, as it is told by messages, and reports the result of each. */
import { OrlopError } from "../base/errors.ts";
import { connectUnix } from "../kernel/connect-unix.ts";
import { PlanStream } from "../kernel/plan-stream.ts";
import { GrowingFile } from "./layer-source.ts";
import { unpackLayer } from "./unpack-layer.ts";
import type { UnpackOrder, UnpackReport } from "./unpack-message.ts";

/** The distance between two reports of progress. */
const reportBytes = 4 << 20;

interface Job {
  readonly blob: GrowingFile;
  readonly abort: AbortController;
}

export class Unpacker {
  readonly #report: (message: UnpackReport) => void;
  readonly #jobs = new Map<number, Job>();

  constructor(report: (message: UnpackReport) => void) {
    this.#report = report;
  }

  take(order: UnpackOrder): void {
    if (order.kind === "unpack") void this.#run(order);
    else if (order.kind === "more") this.#jobs.get(order.job)?.blob.grow(order.availableBytes);
    else this.#stop(order.job);
  }

  #stop(job: number): void {
    const { blob, abort } = this.#jobs.get(job) ?? {};
    abort?.abort();
    blob?.stop(abort?.signal.reason);
  }

  async #run(order: UnpackOrder & { kind: "unpack" }): Promise<void> {
    const { job } = order;
    try {
      this.#report(await this.#unpack(order));
    } catch (error) {
      const code = error instanceof OrlopError ? { code: error.code } : {};
      this.#report({ kind: "failed", job, ...code, message: String((error as Error).message ?? error) });
    } finally {
      this.#jobs.delete(job);
    }
  }

  async #unpack(order: UnpackOrder & { kind: "unpack" }): Promise<UnpackReport> {
    const { job, diffId, isBlobHashed, directory, limits } = order;
    using blob = new GrowingFile(order.paths, order.sizeBytes, order.availableBytes);
    const abort = new AbortController();
    this.#jobs.set(job, { blob, abort });
    let reported = 0;
    const layer = await unpackLayer({
      source: blob,
      diffId,
      isBlobHashed,
      directory,
      plan: new PlanStream(await connectUnix(order.controlSocket)),
      limits,
      sync: true,
      signal: abort.signal,
      onProgress: () => {
        const doneBytes = blob.bytesRead;
        if (doneBytes - reported < reportBytes) return;
        reported = doneBytes;
        this.#report({ kind: "progress", job, doneBytes });
      },
    });
    return { kind: "unpacked", job, layer };
  }
}
