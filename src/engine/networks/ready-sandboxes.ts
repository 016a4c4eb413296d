/**
 * Sandboxes in the default network that wait for their container: making one costs more than everything else at a start. Each is
 * used once. The store is filled while nobody waits.
 */

import { log } from "../../base/log.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

const READY = 4;
/** After a start, so that filling up does not take part in it. */
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

  /** undefined when none is ready. More are made a little later. */
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
        // The next container that needs one makes its own, and says why that fails.
        log("warn", "no network could be made ready", error);
        return;
      }
    }
  }

  /** Removes what nobody took. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#filling;
    for (const record of this.#ready.splice(0)) await this.#parts.remove(record);
  }
}
