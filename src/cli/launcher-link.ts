/** The engine's end of the conversation with a launcher (spec/command-frame.ts): frames over a connection, with their windows. */
import type { Duplex } from "node:stream";
import {
  type CommandBegin,
  type CommandFrame,
  CommandFrameDecoder,
  decodeCount,
  downKind,
  encodeCommandFrame,
  encodeCount,
  parseCommandBegin,
  pieceBytes,
  upKind,
  windowBytes,
} from "../spec/command-frame.ts";

import type { StreamUse } from "./caller.ts";

/** The caller is gone: there is nobody to report to. */
export class CallerGone extends Error {
  constructor() {
    super("the command's caller is gone");
    this.name = "CallerGone";
  }
}

export interface LauncherEvents {
  readonly signal: (number: number) => void;
  readonly size: (rows: number, columns: number) => void;
}

export class LauncherLink {
  readonly #client: Duplex;
  readonly #decoder = new CommandFrameDecoder();
  readonly #begin = Promise.withResolvers<CommandBegin>();
  readonly #left = new AbortController();
  /** Frames to be sent in one write, at the end of the current turn of the event loop. */
  #outgoing: Uint8Array[] = [];
  /** Output that is collected into one frame: a container's lines arrive in separate frames. */
  #output: { kind: number; pieces: Uint8Array[]; size: number } = { kind: 0, pieces: [], size: 0 };
  #isFlushSet = false;
  #window = windowBytes;
  readonly #waitingWriters: (() => void)[] = [];
  readonly #input: Uint8Array[] = [];
  /** How much more input the launcher may send (its window), in bytes. */
  #inputRoom = 0;
  #inputEnded = false;
  #wakeReader: (() => void) | undefined;
  #streamEnd: PromiseWithResolvers<boolean> | undefined;
  #events: LauncherEvents = { signal: () => undefined, size: () => undefined };

  constructor(client: Duplex) {
    this.#client = client;
    this.#begin.promise.catch(() => undefined); // reported to whoever awaits it
    client.on("data", (piece: Uint8Array) => this.#receive(piece));
    for (const event of ["end", "close", "error"]) client.on(event, () => this.#leave());
    client.resume();
  }

  /** Aborted when the caller is gone. */
  get left(): AbortSignal {
    return this.#left.signal;
  }

  /** The command to run. @throws {CallerGone}, also for a first frame that is not valid */
  begin(): Promise<CommandBegin> {
    return this.#begin.promise;
  }

  listen(events: LauncherEvents): void {
    this.#events = events;
  }

  send(kind: number, payload?: Uint8Array): void {
    this.#closeOutput();
    this.#outgoing.push(encodeCommandFrame(kind, payload));
    queueMicrotask(() => this.flush());
  }

  /** As `send`, but not at once: the frame need not arrive before the command goes on. */
  sendLater(kind: number, payload?: Uint8Array): void {
    this.#closeOutput();
    this.#outgoing.push(encodeCommandFrame(kind, payload));
    this.#flushLater();
  }

  flush(): void {
    this.#closeOutput();
    const frames = this.#outgoing.splice(0);
    if (frames.length === 0 || this.#client.writableEnded || this.#client.destroyed) return;
    this.#client.write(frames.length === 1 ? frames[0] : Buffer.concat(frames));
    if (this.#client.writableCorked > 0) this.#client.uncork();
  }

  #flushLater(): void {
    if (this.#isFlushSet) return;
    this.#isFlushSet = true;
    setImmediate(() => {
      this.#isFlushSet = false;
      this.flush();
    });
  }

  /** Sends output, as far as the launcher's window allows. */
  async output(kind: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      while (this.#window === 0 && !this.left.aborted)
        await new Promise<void>((resolve) => this.#waitingWriters.push(resolve));
      this.left.throwIfAborted();
      const size = Math.min(bytes.length - at, this.#window, pieceBytes);
      this.#window -= size;
      this.#addOutput(kind, bytes.subarray(at, at + size));
      at += size;
    }
    this.left.throwIfAborted();
  }

  #addOutput(kind: number, piece: Uint8Array): void {
    if (this.#output.kind !== kind || this.#output.size + piece.length > pieceBytes) this.#closeOutput();
    this.#output.kind = kind;
    this.#output.pieces.push(piece);
    this.#output.size += piece.length;
    this.#flushLater();
  }

  /** Makes a frame of the collected output. */
  #closeOutput(): void {
    const { kind, pieces } = this.#output;
    if (pieces.length === 0) return;
    this.#output = { kind: 0, pieces: [], size: 0 };
    this.#outgoing.push(encodeCommandFrame(kind, pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)));
  }

  /** Standard input. The launcher does not read it before this is called. */
  async *input(): AsyncGenerator<Uint8Array, void> {
    this.#takeMore(windowBytes);
    let taken = 0;
    for (;;) {
      while (this.#input.length === 0 && !this.#inputEnded)
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
      const bytes = this.#input.shift();
      if (bytes === undefined) return;
      yield bytes;
      taken += bytes.length;
      if (taken < pieceBytes) continue;
      this.#takeMore(taken);
      taken = 0;
    }
  }

  /** Has the launcher ask for a stream itself, and pass it on. Whether one was there, once it has ended. */
  passStream(request: Uint8Array, { raw, input }: StreamUse): Promise<boolean> {
    this.#streamEnd = Promise.withResolvers();
    this.send(downKind.stream, Buffer.concat([Uint8Array.of((raw ? 1 : 0) | (input ? 2 : 0)), request]));
    return this.#streamEnd.promise;
  }

  #takeMore(bytes: number): void {
    this.#inputRoom += bytes;
    this.send(downKind.read, encodeCount(bytes));
  }

  /** The last that is said. */
  close(kind: number, payload?: Uint8Array): void {
    this.send(kind, payload);
    this.flush();
    this.#client.end();
  }

  #receive(piece: Uint8Array): void {
    try {
      for (const frame of this.#decoder.push(piece)) this.#take(frame);
    } catch {
      this.#client.destroy(); // no launcher of ours says such things
      this.#leave();
    }
  }

  #take({ kind, payload }: CommandFrame): void {
    switch (kind) {
      case upKind.begin:
        this.#begin.resolve(parseCommandBegin(payload));
        break;
      case upKind.stdin:
        this.#inputRoom -= payload.length;
        if (this.#inputRoom < 0) throw new RangeError("more input than was asked for");
        this.#input.push(payload.slice());
        this.#wakeReader?.();
        break;
      case upKind.stdinEnd:
        this.#inputEnded = true;
        this.#wakeReader?.();
        break;
      case upKind.signal:
        this.#events.signal(payload[0] ?? 0);
        break;
      case upKind.size: {
        const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
        this.#events.size(view.getUint16(0, true), view.getUint16(2, true));
        break;
      }
      case upKind.taken:
        this.#window = Math.min(windowBytes, this.#window + decodeCount(payload));
        this.#wakeWriters();
        break;
      case upKind.streamEnd:
        this.#streamEnd?.resolve(payload[0] === 1);
    }
  }

  #wakeWriters(): void {
    for (const wake of this.#waitingWriters.splice(0)) wake();
  }

  #leave(): void {
    if (this.left.aborted) return;
    this.#left.abort(new CallerGone());
    this.#begin.reject(this.left.reason);
    this.#streamEnd?.reject(this.left.reason);
    this.#inputEnded = true;
    this.#wakeReader?.();
    this.#wakeWriters();
  }
}
