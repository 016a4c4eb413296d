/**
 * A pool of sandboxes in the default network, because making one costs more than everything else at a start. Each is used once. The
 * pool is refilled in the background.
 */

import { log } from "../../base/log.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

const READY = 4;
/** The delay after a start, so that refilling does not compete with it. */
const PAUSE_MS = 10;

export interface ReadyParts {
  make(): Promise<SandboxRecord>;
  remove(record: SandboxRecord): Promise<void>;
  /** As `EngineParts.background`. */
  background(what: string, work: () => Promise<void>): Promise<void>;
}

export class ReadySandboxes {
  readonly #parts: ReadyParts;
  readonly #ready: SandboxRecord[] = [];
  #timer: NodeJS.Timeout | undefined;
  #filling: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(parts: ReadyParts) {
    this.#parts = parts;
  }

  /** Takes one; undefined when the pool is empty. It is refilled a little later. */
  take(): SandboxRecord | undefined {
    if (!this.#isClosed && this.#timer === undefined) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#filling = this.#filling.then(() => this.#parts.background("making networks ready", () => this.#fill()));
      }, PAUSE_MS);
      this.#timer.unref();
    }
    return this.#ready.shift();
  }

  async #fill(): Promise<void> {
    while (this.#ready.length < READY && !this.#isClosed) {
      try {
        this.#ready.push(await this.#parts.make());
      } catch (error) {
        // The next container makes its own sandbox, and reports the reason if that fails too.
        log("warn", "no network could be made ready", error);
        return;
      }
    }
  }

  /** Removes the sandboxes in the pool. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#filling;
    for (const record of this.#ready.splice(0)) await this.#parts.remove(record);
  }
}
