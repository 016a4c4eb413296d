/**
 * What is left of `--rm` containers goes a moment later, that of several in one plan: nobody waits for it, and each plan is a
 * process and a conversation of its own.
 */

import type { Step } from "../../kernel/step.ts";

const PAUSE_MS = 50;
/** So that one plan does not hold a CPU for long. */
const MOST = 16;

interface Heap {
  readonly steps: () => readonly Step[];
  readonly gone: PromiseWithResolvers<void>;
}

export class Sweeper {
  readonly #run: (steps: readonly Step[]) => Promise<unknown>;
  #heaps: Heap[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(run: (steps: readonly Step[]) => Promise<unknown>) {
    this.#run = run;
  }

  /**
   * Resolves when these steps are carried out; rejects when one of them fails, whatever becomes of the others'.
   *
   * @param steps asked for when they are about to be carried out
   */
  sweep(steps: () => readonly Step[]): Promise<void> {
    const gone = Promise.withResolvers<void>();
    this.#heaps.push({ steps, gone });
    if (this.#heaps.length >= MOST) this.now();
    else this.#timer ??= setTimeout(() => this.now(), PAUSE_MS);
    return gone.promise;
  }

  now(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const heaps = this.#heaps;
    this.#heaps = [];
    if (heaps.length > 0) void this.#sweepAll(heaps);
  }

  async #sweepAll(heaps: readonly Heap[]): Promise<void> {
    const plans = heaps.map(({ steps, gone }) => ({ steps: steps(), gone }));
    const isDone = await this.#run(plans.flatMap(({ steps }) => steps)).then(
      () => true,
      () => false,
    );
    for (const { steps, gone } of plans) {
      if (isDone) gone.resolve();
      else await this.#run(steps).then(() => gone.resolve(), gone.reject);
    }
  }
}
