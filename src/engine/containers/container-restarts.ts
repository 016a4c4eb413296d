/** A container's restarts: what its policy makes of its ends, and the timer of the next start. */

import type { ContainerRecord, RunRecord } from "./container-record.ts";
import { afterEnd, comesBack, hasPolicy, laterStill, noRestarts, type RestartState } from "./restart-policy.ts";

export interface RestartSource {
  readonly record: () => ContainerRecord;
  /** Starts it, when it still waits for that. */
  readonly restart: () => void;
}

export class ContainerRestarts {
  readonly #source: RestartSource;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isResting = false;

  constructor(source: RestartSource) {
    this.#source = source;
  }

  get state(): RestartState {
    return this.#source.record().restarts ?? noRestarts;
  }

  /** It ended, and is to start again. */
  get isWaiting(): boolean {
    return this.state.isWaiting;
  }

  get hasPolicy(): boolean {
    return hasPolicy(this.#policy);
  }

  /** What is to be written down with a run that ended; its reason says what is going to happen. */
  afterEnd(run: RunRecord): { readonly run: RunRecord; readonly restarts: RestartState } {
    const restarts = afterEnd(this.#policy, this.state, run);
    if (!restarts.isWaiting) return { run, restarts };
    const why = run.error === "" ? `it exited with ${run.exitCode}` : run.error;
    return { run: { ...run, error: this.#announced(why, restarts) }, restarts };
  }

  /** As `afterEnd`, of a restart that failed and is tried again later. It is no other restart: its count stays. */
  afterFailure(run: RunRecord, reason: string): { readonly run: RunRecord; readonly restarts: RestartState } {
    const restarts = laterStill(this.state);
    return { run: { ...run, error: this.#announced(reason, restarts) }, restarts };
  }

  #announced(why: string, { count, delayMs }: RestartState): string {
    return `${why}; restart ${count} by its policy ${this.#policy.Name}, after ${delayMs} ms`;
  }

  /** Sets the timer where it waits. */
  schedule(): void {
    this.cancelTimer();
    if (!this.isWaiting || this.#isResting) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#source.restart();
    }, this.state.delayMs);
  }

  /** The machine was started since its last run. What is to be written down; undefined when it stays as it is. */
  afterBoot(): RestartState | undefined {
    const { run } = this.#source.record();
    if (this.isWaiting || run.status !== "exited" || !comesBack(this.#policy, this.state, run)) return undefined;
    return { ...noRestarts, isWaiting: true };
  }

  cancelTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** This engine leaves: the next one goes on with what is written down. */
  rest(): void {
    this.#isResting = true;
    this.cancelTimer();
  }

  get #policy(): ContainerRecord["body"]["HostConfig"]["RestartPolicy"] {
    return this.#source.record().body.HostConfig.RestartPolicy;
  }
}
