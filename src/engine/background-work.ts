/** Work that no caller waits for. The engine does not leave before it is done. */

import { log } from "../base/log.ts";
import { tryAgain } from "./try-again.ts";

export class BackgroundWork {
  readonly #pending = new Set<Promise<unknown>>();
  /** Pending work that waits for killed processes to end: closing does not wait for it. */
  readonly #stuck = new Set<Promise<unknown>>();
  #isClosing = false;

  get isIdle(): boolean {
    return this.#pending.size === 0;
  }

  /** Tries again as `tryAgain` does; a failure is logged. Never rejects. @returns false when the work failed */
  run(what: string, work: () => Promise<void>): Promise<boolean> {
    const done = tryAgain(what, work, () => {
      this.#stuck.add(done);
      return this.#isClosing;
    })
      .then(
        () => true,
        (error: unknown) => {
          log("error", what, error);
          return false;
        },
      )
      .finally(() => {
        this.#pending.delete(done);
        this.#stuck.delete(done);
      });
    this.#pending.add(done);
    return done;
  }

  /** Resolves when everything that is not stuck is done. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all([...this.#pending].filter((work) => !this.#stuck.has(work)));
  }
}
