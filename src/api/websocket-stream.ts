/** A WebSocket as a byte stream: a container's output is sent in binary frames, the client's messages are its input. */

import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { AttachFrameDecoder } from "../spec/attach-frame.ts";
import { encodeFrame, opcode, WebSocketDecoder } from "../spec/websocket.ts";

/** Status 1000: normal closure. */
const normalClosure = Uint8Array.of(0x03, 0xe8);
/** Status 1002: protocol error of the client. */
const protocolError = Uint8Array.of(0x03, 0xea);

export class WebSocketStream extends Duplex {
  readonly #socket: Socket;
  readonly #decoder = new WebSocketDecoder();
  /** Unwraps attach frames: a WebSocket carries both output streams as one, as in Docker. */
  readonly #demux: AttachFrameDecoder | undefined;

  constructor(socket: Socket, framed: boolean) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#demux = framed ? new AttachFrameDecoder() : undefined;
    socket.on("data", (chunk: Uint8Array) => this.#take(chunk));
    socket.on("end", () => this.push(null));
    socket.on("error", (error) => this.destroy(error));
    socket.on("close", () => this.destroy());
    socket.resume();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    const pieces = this.#demux === undefined ? [chunk] : this.#demux.push(chunk).map(({ bytes }) => bytes);
    const frames = pieces.filter(({ length }) => length > 0).map((bytes) => encodeFrame(opcode.binary, bytes));
    if (frames.length === 0 || this.#socket.write(Buffer.concat(frames))) done();
    else this.#socket.once("drain", () => done());
  }

  override _final(done: () => void): void {
    this.#socket.end(encodeFrame(opcode.close, normalClosure));
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #take(chunk: Uint8Array): void {
    try {
      for (const { opcode: code, payload } of this.#decoder.push(chunk)) {
        if (code === opcode.ping) this.#socket.write(encodeFrame(opcode.pong, payload));
        else if (code === opcode.close) this.destroy();
        else if (code < opcode.close && payload.length > 0 && !this.push(payload)) this.#socket.pause();
      }
    } catch {
      this.#socket.end(encodeFrame(opcode.close, protocolError));
      this.destroy();
    }
  }
}
