/**
 * Write-back of a large file. It starts while the file is being written, so that the sync at its end is short; and an executor process
 * waits for the disk, not a thread of the pool, which has one per processor, and decompresses layers.
 */
import type { FileHandle } from "node:fs/promises";
import type { PlanStream } from "../kernel/plan-stream.ts";

/** A connection to a fresh task. */
export type OpenPlan = () => Promise<PlanStream>;

/** Bytes whose write-back is started at a time; a smaller file needs no task. */
const pieceBytes = 8 << 20;
const why = "what is written meanwhile goes to the disk, so that the sync at the end is short";

export class Writeback implements AsyncDisposable {
  readonly #path: string;
  readonly #openPlan: OpenPlan | undefined;
  #plan: Promise<PlanStream> | undefined;
  #sentBytes = 0;

  /** @param openPlan without one, everything is written by the sync, in this process */
  constructor(path: string, openPlan: OpenPlan | undefined) {
    this.#path = path;
    this.#openPlan = openPlan;
  }

  /** Tells how many bytes are in the file. */
  written(sizeBytes: number): void {
    const offset = Math.min(this.#sentBytes, sizeBytes);
    if (this.#openPlan === undefined || sizeBytes - offset < pieceBytes) return;
    this.#sentBytes = sizeBytes;
    this.#plan ??= this.#openPlan();
    this.#plan
      .then((plan) => {
        plan.add({ op: "write-back", why, path: this.#path, offset, size: sizeBytes - offset, sync: 0 });
        plan.send();
      })
      .catch(() => undefined); // `sync` works without it
  }

  /** Settles when the whole file is on the disk. */
  async sync(file: FileHandle): Promise<void> {
    if (this.#plan !== undefined && (await this.#syncByPlan(this.#plan))) return;
    await file.sync();
  }

  /** False when it failed for any reason: the caller then syncs itself, because the kernel reports a disk error to each open file. */
  async #syncByPlan(opening: Promise<PlanStream>): Promise<boolean> {
    this.#plan = undefined;
    try {
      const plan = await opening;
      plan.add({ op: "write-back", why: "the file is whole", path: this.#path, offset: 0, size: 0, sync: 1 });
      await plan.end();
      return true;
    } catch {
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const plan = await this.#plan?.catch(() => undefined);
    await plan?.abandon();
  }
}
