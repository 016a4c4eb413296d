/** What a client sends while it keeps others waiting. */

export interface Patience {
  /** So long it may send nothing while somebody waits. */
  readonly idleMs: number;
  readonly isAwaited: () => boolean;
  readonly stalled: () => Error;
}

/** The same pieces. @throws `stalled()`, once nothing has come for so long and somebody waits */
export async function* notStalled<T>(pieces: AsyncIterable<T>, patience: Patience): AsyncGenerator<T, void> {
  const source = pieces[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await inPatience(source.next(), patience);
    if (done === true) return;
    yield value;
  }
}

function inPatience<T>(next: Promise<T>, { idleMs, isAwaited, stalled }: Patience): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setInterval(() => {
    if (isAwaited()) reject(stalled());
  }, idleMs);
  next.then(resolve, reject).finally(() => clearInterval(timer));
  return promise.finally(() => clearInterval(timer));
}
