/** A blob that is arriving in the store, for readers that do not wait for its end. The bytes are not verified before `verified` settles. */

interface Watcher {
  readonly onMore: (availableBytes: number) => void;
  readonly onFault: () => void;
}

export interface ArrivingBlob {
  /** Its possible paths: it is renamed when it is complete. */
  readonly paths: readonly string[];
  readonly sizeBytes: number;
  readonly availableBytes: number;
  /** Settles when its digest is right and it is in the store; rejects when it never will be. */
  readonly verified: Promise<void>;
  /** onFault: the bytes so far were wrong, so reading on makes no sense. */
  watch(onMore: (availableBytes: number) => void, onFault: () => void): Disposable;
}

export class Arrival implements ArrivingBlob {
  readonly paths: readonly string[];
  readonly sizeBytes: number;
  readonly verified: Promise<void>;
  readonly #watchers = new Set<Watcher>();
  #availableBytes = 0;
  #isFaulty = false;

  constructor(paths: readonly string[], sizeBytes: number, verified: Promise<void>) {
    this.paths = paths;
    this.sizeBytes = sizeBytes;
    this.verified = verified;
  }

  get availableBytes(): number {
    return this.#availableBytes;
  }

  /** A download that begins again from an earlier byte replaces what has been read. */
  grow(availableBytes: number): void {
    if (availableBytes < this.#availableBytes) this.#isFaulty = true;
    this.#availableBytes = availableBytes;
    for (const { onMore, onFault } of this.#watchers)
      if (this.#isFaulty) onFault();
      else onMore(availableBytes);
  }

  watch(onMore: (availableBytes: number) => void, onFault: () => void): Disposable {
    const watcher: Watcher = { onMore, onFault };
    this.#watchers.add(watcher);
    onMore(this.#availableBytes);
    if (this.#isFaulty) onFault();
    return { [Symbol.dispose]: () => void this.#watchers.delete(watcher) };
  }
}
