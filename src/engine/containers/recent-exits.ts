/**
 * How `--rm` containers ended, kept for a while after their removal: some clients ask for the exit code only after the output has
 * ended. (Docker takes long enough to remove a container that they usually get it there.)
 */

import type { RunRecord } from "./container-record.ts";

const KEPT_MAX = 256;
const KEPT_MS = 10_000;

export class RecentExits {
  readonly #byId = new Map<string, { readonly run: RunRecord; readonly atMs: number }>();

  add(id: string, run: RunRecord): void {
    this.#byId.set(id, { run, atMs: performance.now() });
    if (this.#byId.size <= KEPT_MAX) return;
    const [oldest] = this.#byId.keys();
    if (oldest !== undefined) this.#byId.delete(oldest);
  }

  /** @param id the whole id */
  get(id: string): RunRecord | undefined {
    const found = this.#byId.get(id);
    return found !== undefined && performance.now() - found.atMs < KEPT_MS ? found.run : undefined;
  }
}
