/** Does something once when a process has come to rest after it had worked. While it rests there is no timer. */

export interface Meter {
  /** Processor time of this process. */
  cpuMs(): number;
  residentBytes(): number;
}

export interface AfterWorkOptions {
  readonly meter: Meter;
  /** How long it must have done next to nothing. */
  readonly restMs: number;
  /** "Next to nothing": at most so much processor time meanwhile. */
  readonly idleCpuMs: number;
  /** Not worth the while before it has grown by so much. */
  readonly growthBytes: number;
}

export class AfterWork {
  readonly #options: AfterWorkOptions;
  readonly #act: () => Promise<void>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #cpuMs = 0;
  /** As large as it was at rest. */
  #restingBytes: number;

  /** @param act  does not fail; the process is as large as it is at rest when this is done */
  constructor(options: AfterWorkOptions, act: () => Promise<void>) {
    this.#options = options;
    this.#act = act;
    this.#restingBytes = options.meter.residentBytes();
  }

  /** Something begins, or has ended. */
  note(): void {
    if (this.#timer === undefined) this.#wait();
  }

  #wait(): void {
    this.#cpuMs = this.#options.meter.cpuMs();
    this.#timer = setTimeout(() => void this.#look(), this.#options.restMs);
  }

  async #look(): Promise<void> {
    const { meter, idleCpuMs, growthBytes } = this.#options;
    if (meter.cpuMs() - this.#cpuMs > idleCpuMs) {
      this.#wait();
      return;
    }
    this.#timer = undefined;
    if (meter.residentBytes() - this.#restingBytes < growthBytes) return;
    await this.#act();
    this.#restingBytes = meter.residentBytes();
  }
}
