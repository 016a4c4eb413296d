/** One thing at a time: operations on the same object run in the order in which they were asked for. */

export class Serial {
  #last: Promise<unknown> = Promise.resolve();
  #count = 0;

  /** Somebody waits for what is under way. */
  get isAwaited(): boolean {
    return this.#count > 1;
  }

  /** Runs `operation` when everything that was queued before has ended, whether that succeeded or not. */
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
