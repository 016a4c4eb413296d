/** Ends a client's upload that has stalled, when other operations wait for it. */

export interface StallLimit {
  /** How long nothing may arrive while somebody waits. */
  readonly idleMs: number;
  readonly isAwaited: () => boolean;
  readonly stalled: () => Error;
}

/** Yields the same pieces. @throws `stalled()` when nothing has arrived for `idleMs` and somebody waits */
export async function* notStalled<T>(pieces: AsyncIterable<T>, limit: StallLimit): AsyncGenerator<T, void> {
  const source = pieces[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await nextInTime(source.next(), limit);
    if (done === true) return;
    yield value;
  }
}

function nextInTime<T>(next: Promise<T>, { idleMs, isAwaited, stalled }: StallLimit): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setInterval(() => {
    if (isAwaited()) reject(stalled());
  }, idleMs);
  next.then(resolve, reject).finally(() => clearInterval(timer));
  return promise.finally(() => clearInterval(timer));
}
