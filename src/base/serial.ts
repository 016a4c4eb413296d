/** One thing at a time: operations on the same object run in the order in which they were asked for. */

export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `operation` when everything that was queued before has ended, whether that succeeded or not. */
  run<T>(operation: () => T | Promise<T>): Promise<T> {
    const result = this.#last.then(operation, operation);
    this.#last = result;
    return result;
  }
}
