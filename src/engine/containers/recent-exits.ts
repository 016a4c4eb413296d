/**
 * How `--rm` containers ended, for a while: some clients ask for the exit code only when the output has ended, and then the
 * container is gone already. (Docker takes so long to remove one that they usually get it.)
 */

import type { RunRecord } from "./container-record.ts";

const KEPT = 256;
const KEPT_MS = 10_000;

export class RecentExits {
  readonly #byId = new Map<string, { readonly run: RunRecord; readonly atMs: number }>();

  add(id: string, run: RunRecord): void {
    this.#byId.set(id, { run, atMs: performance.now() });
    if (this.#byId.size <= KEPT) return;
    const [oldest] = this.#byId.keys();
    if (oldest !== undefined) this.#byId.delete(oldest);
  }

  /** By its whole id. */
  get(id: string): RunRecord | undefined {
    const found = this.#byId.get(id);
    return found !== undefined && performance.now() - found.atMs < KEPT_MS ? found.run : undefined;
  }
}
