/** A connection as bytes: what HTTP and attach are spoken over. Node's and Bun's sockets both fit it. */

export interface ByteStream {
  /** The next bytes in order; undefined once the other side has ended. A reader that stops stops the sender. */
  read(): Promise<Uint8Array | undefined>;
  /** Queues the bytes; resolves when the stream can take more. Rejects when the connection is lost. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends our direction only: the other side sees end of file, and can still answer. */
  endWrite(): void;
  /** Ends both directions at once. */
  close(): void;
  /** Whether the other side has ended or the connection is lost: bytes may still be queued for `read`. */
  readonly ended: boolean;
}

/** Opens a connection. */
export type Connect = (address: Address) => Promise<ByteStream>;

/** Where an engine listens. */
export type Address =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** How much a stream queues before it stops its sender. */
const pauseBytes = 256 * 1024;

/** The receiving half of a `ByteStream`: what a socket's events put in, `read` takes out. */
export class Inflow {
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #ended = false;
  #lost: Error | undefined;
  #paused = false;
  #wake: (() => void) | undefined;
  readonly #setPaused: (paused: boolean) => void;

  /** @param setPaused  stops and restarts the socket's events */
  constructor(setPaused: (paused: boolean) => void) {
    this.#setPaused = setPaused;
  }

  get ended(): boolean {
    return this.#ended;
  }

  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (!this.#paused && this.#queuedBytes >= pauseBytes) {
      this.#paused = true;
      this.#setPaused(true);
    }
    this.#wake?.();
  }

  /** The other side has ended; with an error, the connection is lost. */
  end(lost?: Error): void {
    this.#ended = true;
    this.#lost ??= lost;
    this.#wake?.();
  }

  async read(): Promise<Uint8Array | undefined> {
    while (this.#queue.length === 0 && !this.#ended)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#wake = undefined;
    const bytes = this.#queue.shift();
    if (bytes === undefined) {
      if (this.#lost !== undefined) throw this.#lost;
      return undefined;
    }
    this.#queuedBytes -= bytes.length;
    if (this.#paused && this.#queue.length === 0) {
      this.#paused = false;
      this.#setPaused(false);
    }
    return bytes;
  }
}
