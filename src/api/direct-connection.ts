/** A connection inside this process: one end is the stream that a route takes over, the other end its client's. */

import { Duplex } from "node:stream";

/** The client's end. */
export interface FarSide {
  /** The next bytes; undefined once the route has ended its side. */
  read(): Promise<Uint8Array | undefined>;
  /** Resolves when the route can take more. */
  write(bytes: Uint8Array): Promise<void>;
  endWrite(): void;
  close(): void;
  readonly ended: boolean;
}

export class DirectConnection extends Duplex {
  /** Written by the route and not read yet. `taken` lets the writer continue. */
  readonly #written: { readonly bytes: Uint8Array; readonly taken: () => void }[] = [];
  #ended = false;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  constructor() {
    super({ allowHalfOpen: true });
  }

  readonly far: FarSide = ((near: DirectConnection) => ({
    read: () => near.#take(),
    write: (bytes: Uint8Array) => near.#give(bytes),
    endWrite: () => {
      if (!near.destroyed) near.push(null);
    },
    close: () => void near.destroy(),
    get ended() {
      return near.#ended;
    },
  }))(this);

  async #take(): Promise<Uint8Array | undefined> {
    while (this.#written.length === 0 && !this.#ended)
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    const next = this.#written.shift();
    next?.taken();
    return next?.bytes;
  }

  async #give(bytes: Uint8Array): Promise<void> {
    if (this.destroyed) throw new Error("the connection is closed");
    if (this.push(bytes)) return;
    await new Promise<void>((resolve) => {
      this.#wakeWriter = resolve;
    });
    if (this.destroyed) throw new Error("the connection is closed");
  }

  #end(): void {
    this.#ended = true;
    this.#wakeReader?.();
  }

  override _read(): void {
    this.#wakeWriter?.();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.#written.push({ bytes: chunk, taken: done });
    this.#wakeReader?.();
  }

  override _final(done: () => void): void {
    this.#end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#end();
    this.#wakeWriter?.();
    done(error);
  }
}
