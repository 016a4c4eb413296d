/** A queue: operations on the same object run one at a time, in the order of the calls. */

export class Serial {
  #last: Promise<unknown> = Promise.resolve();
  #count = 0;

  /** Whether an operation waits for the current one. */
  get isAwaited(): boolean {
    return this.#count > 1;
  }

  /** Runs `operation` after all earlier ones have ended, successfully or not. */
  run<T>(operation: () => T | Promise<T>): Promise<T> {
    this.#count++;
    const counted = async (): Promise<T> => {
      try {
        return await operation();
      } finally {
        this.#count--;
      }
    };
    const result = this.#last.then(counted, counted);
    this.#last = result;
    return result;
  }
}
