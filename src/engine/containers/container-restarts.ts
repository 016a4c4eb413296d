/** A container's restarts: what its policy says after each end, and the timer of the next start. */

import type { ContainerRecord, RunRecord } from "./container-record.ts";
import {
  afterEnd,
  hasPolicy,
  noRestarts,
  type RestartState,
  restartsAfterBoot,
  withLongerDelay,
} from "./restart-policy.ts";

export interface RestartSource {
  readonly record: () => ContainerRecord;
  /** Starts the container if it still waits for a restart. */
  readonly restart: () => void;
}

export class ContainerRestarts {
  readonly #source: RestartSource;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(source: RestartSource) {
    this.#source = source;
  }

  get state(): RestartState {
    return this.#source.record().restarts ?? noRestarts;
  }

  /** The container has ended, and is to be started again. */
  get isWaiting(): boolean {
    return this.state.isWaiting;
  }

  get hasPolicy(): boolean {
    return hasPolicy(this.#policy);
  }

  /** What to record after a run that ended. The run's error then says that a restart follows. */
  afterEnd(run: RunRecord): { readonly run: RunRecord; readonly restarts: RestartState } {
    const restarts = afterEnd(this.#policy, this.state, run);
    if (!restarts.isWaiting) return { run, restarts };
    const why = run.error === "" ? `it exited with ${run.exitCode}` : run.error;
    return { run: { ...run, error: this.#announce(why, restarts) }, restarts };
  }

  /** What to record after a restart that failed and is tried again later. It counts as the same restart. */
  afterFailure(run: RunRecord, reason: string): { readonly run: RunRecord; readonly restarts: RestartState } {
    const restarts = withLongerDelay(this.state);
    return { run: { ...run, error: this.#announce(reason, restarts) }, restarts };
  }

  #announce(why: string, { count, delayMs }: RestartState): string {
    return `${why}; restart ${count} by its policy ${this.#policy.Name}, after ${delayMs} ms`;
  }

  /** Sets the timer if the container waits for a restart. */
  schedule(): void {
    this.cancelTimer();
    if (!this.isWaiting || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#source.restart();
    }, this.state.delayMs);
  }

  /** The state to record after a boot of the machine; undefined when the policy does not start the container. */
  afterBoot(): RestartState | undefined {
    const { run } = this.#source.record();
    if (this.isWaiting || run.status !== "exited" || !restartsAfterBoot(this.#policy, this.state, run))
      return undefined;
    return { ...noRestarts, isWaiting: true };
  }

  cancelTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Called when the engine leaves: the next one continues from the record. */
  close(): void {
    this.#isClosed = true;
    this.cancelTimer();
  }

  get #policy(): ContainerRecord["body"]["HostConfig"]["RestartPolicy"] {
    return this.#source.record().body.HostConfig.RestartPolicy;
  }
}
