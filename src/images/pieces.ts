/** Passes a file's content from a reader that pushes to a writer that pulls. */

/** Small chunks are collected into pieces of this size for hashing and writing, because each write is a round trip to the thread pool. */
const pieceBytes = 256 * 1024;

/** A piece is reused once the next is requested. */
export class Pieces implements AsyncIterable<Uint8Array> {
  readonly #queue: Buffer[] = [];
  readonly #free: Buffer[] = [];
  /** A chunk of the file for which no piece has had room yet. */
  #leftBytes: number;
  #filling: Buffer | undefined;
  #filled = 0;
  #isOver = false;
  #failure: unknown;
  #wake = Promise.withResolvers<void>();
  #drained = Promise.withResolvers<void>();

  constructor(sizeBytes: number) {
    this.#leftBytes = sizeBytes;
  }

  /** Copies the chunk. */
  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      this.#filling ??= this.#emptyPiece();
      const piece = this.#filling;
      const taken = Math.min(chunk.length - at, piece.length - this.#filled);
      piece.set(chunk.subarray(at, at + taken), this.#filled);
      at += taken;
      this.#filled += taken;
      if (this.#filled === piece.length) this.#hand(piece);
    }
  }

  #emptyPiece(): Buffer {
    const size = Math.min(pieceBytes, this.#leftBytes);
    const piece = this.#free.pop()?.subarray(0, size) ?? Buffer.allocUnsafe(size);
    this.#leftBytes -= piece.length;
    this.#filled = 0;
    return piece;
  }

  #hand(piece: Buffer): void {
    this.#filling = undefined;
    if (this.#queue.length === 0) this.#drained = Promise.withResolvers();
    this.#queue.push(piece);
    this.#wake.resolve();
  }

  end(): void {
    this.#isOver = true;
    this.#wake.resolve();
  }

  fail(error: unknown): void {
    this.#failure = error;
    this.#wake.resolve();
  }

  drained(): Promise<void> {
    return this.#queue.length === 0 ? Promise.resolve() : this.#drained.promise;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const piece = this.#queue.shift();
      if (piece !== undefined) {
        yield piece;
        if (piece.length === pieceBytes) this.#free.push(piece);
        continue;
      }
      this.#drained.resolve();
      if (this.#isOver) return;
      this.#wake = Promise.withResolvers();
      if (this.#queue.length === 0 && !this.#isOver && this.#failure === undefined) await this.#wake.promise;
    }
  }
}
