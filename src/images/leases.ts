/** Leases keep blobs that are in use from garbage collection. In memory only: a new engine has nothing in use. */
import type { Digest } from "../spec/digest.ts";

export class Leases {
  readonly #counts = new Map<Digest, number>();

  has(digest: Digest): boolean {
    return this.#counts.has(digest);
  }

  /** A lease without blobs; they are added as they become known, and are all released at its end. */
  open(): Lease {
    return new Lease(this.#counts);
  }
}

export class Lease implements Disposable {
  readonly #counts: Map<Digest, number>;
  readonly #held: Digest[] = [];

  constructor(counts: Map<Digest, number>) {
    this.#counts = counts;
  }

  /** Call it before looking for the blobs in the store: those that are found then will stay. */
  hold(digests: readonly Digest[]): void {
    for (const digest of digests) {
      this.#held.push(digest);
      this.#counts.set(digest, (this.#counts.get(digest) ?? 0) + 1);
    }
  }

  [Symbol.dispose](): void {
    for (const digest of this.#held.splice(0)) {
      const left = (this.#counts.get(digest) ?? 1) - 1;
      if (left === 0) this.#counts.delete(digest);
      else this.#counts.set(digest, left);
    }
  }
}
