/**
 * Batches the cleanup behind several containers into one plan, a moment later: nobody waits for it, and each plan costs a process and a
 * conversation of its own.
 */

import type { Step } from "../../kernel/step.ts";

const DELAY_MS = 50;
/** The largest batch, so that one plan does not occupy a CPU for long. */
const BATCH_MAX = 16;

interface Job {
  readonly steps: () => readonly Step[];
  readonly done: PromiseWithResolvers<void>;
}

export class Sweeper {
  readonly #run: (steps: readonly Step[]) => Promise<unknown>;
  #jobs: Job[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(run: (steps: readonly Step[]) => Promise<unknown>) {
    this.#run = run;
  }

  /**
   * Resolves when these steps are carried out, rejects when one of them fails. Failures of other jobs in the batch do not matter.
   *
   * @param steps called just before the batch is carried out
   */
  sweep(steps: () => readonly Step[]): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#jobs.push({ steps, done });
    if (this.#jobs.length >= BATCH_MAX) this.now();
    else this.#timer ??= setTimeout(() => this.now(), DELAY_MS);
    return done.promise;
  }

  now(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const jobs = this.#jobs;
    this.#jobs = [];
    if (jobs.length > 0) void this.#sweepAll(jobs);
  }

  async #sweepAll(jobs: readonly Job[]): Promise<void> {
    const plans = jobs.map(({ steps, done }) => ({ steps: steps(), done }));
    const isDone = await this.#run(plans.flatMap(({ steps }) => steps)).then(
      () => true,
      () => false,
    );
    for (const { steps, done } of plans) {
      if (isDone) done.resolve();
      else await this.#run(steps).then(() => done.resolve(), done.reject);
    }
  }
}
