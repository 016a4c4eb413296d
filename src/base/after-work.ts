/** Does something once when a process becomes idle after work. While it is idle there is no timer. */

export interface Meter {
  /** Processor time of this process. */
  cpuMs(): number;
  residentBytes(): number;
}

export interface AfterWorkOptions {
  readonly meter: Meter;
  /** How long it must have been idle. */
  readonly restMs: number;
  /** Idle means: at most so much processor time in that time. */
  readonly idleCpuMs: number;
  /** Nothing is done unless the process has grown by so much. */
  readonly growthBytes: number;
}

export class AfterWork {
  readonly #options: AfterWorkOptions;
  readonly #act: () => Promise<void>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #cpuMs = 0;
  /** Its size when it was last idle. */
  #restingBytes: number;

  /** @param act  must not fail; afterwards the process has its idle size */
  constructor(options: AfterWorkOptions, act: () => Promise<void>) {
    this.#options = options;
    this.#act = act;
    this.#restingBytes = options.meter.residentBytes();
  }

  /** Call when work begins or ends. */
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
