/** A connection that is a container's standard input, output and error. */
import { FrameDecoder, type StreamPiece } from "./attach-frames.ts";
import type { ByteStream } from "./byte-stream.ts";
import type { HttpResponse } from "./http-client.ts";

export interface AttachStreams {
  readonly stdin?: boolean;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  /** First what the log has. */
  readonly logs?: boolean;
  readonly detachKeys?: string;
}

export class AttachedContainer {
  readonly #stream: ByteStream;

  constructor(response: HttpResponse) {
    this.#stream = response.hijack();
  }

  /** What the container writes, until it exits or the connection ends.
   *  @param tty  whether it has a terminal: then the bytes come raw, else framed (the answer's Content-Type says which only
   *              since API 1.42; before, engines called both raw) */
  async *output(tty: boolean): AsyncGenerator<StreamPiece, void> {
    const decoder = tty ? undefined : new FrameDecoder();
    for (let bytes = await this.#stream.read(); bytes !== undefined; bytes = await this.#stream.read()) {
      if (decoder === undefined) yield { stream: "stdout", bytes };
      else yield* decoder.decode(bytes);
    }
  }

  /** Whether the engine has ended the connection, or it was lost. */
  get ended(): boolean {
    return this.#stream.ended;
  }

  /** To the container's standard input. Resolves when more can be taken. */
  write(bytes: Uint8Array): Promise<void> {
    return this.#stream.write(bytes);
  }

  /** The container's standard input ends; its output goes on. */
  endInput(): void {
    this.#stream.endWrite();
  }

  /** Leaves the container to itself. */
  close(): void {
    this.#stream.close();
  }
}
