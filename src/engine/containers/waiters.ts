/** Clients that wait for a container's next exit, or for its removal. */

import type { RunRecord } from "./container-record.ts";

export type WaitCondition = "not-running" | "next-exit" | "removed";

type Event = "exit" | "removed";

export class Waiters {
  readonly #waiting: Record<Event, Set<(run: RunRecord) => void>> = { exit: new Set(), removed: new Set() };

  /** Resolves with the run that ended; rejects when `signal` is aborted. */
  next(event: Event, signal: AbortSignal): Promise<RunRecord> {
    const set = this.#waiting[event];
    const { promise, resolve, reject } = Promise.withResolvers<RunRecord>();
    signal.throwIfAborted();
    const abort = (): void => {
      set.delete(settle);
      reject(signal.reason);
    };
    const settle = (run: RunRecord): void => {
      signal.removeEventListener("abort", abort);
      resolve(run);
    };
    set.add(settle);
    signal.addEventListener("abort", abort, { once: true });
    return promise;
  }

  notify(event: Event, run: RunRecord): void {
    const waiting = [...this.#waiting[event]];
    this.#waiting[event].clear();
    for (const settle of waiting) settle(run);
  }
}
