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
  readonly #framed: boolean;

  constructor(response: HttpResponse) {
    this.#stream = response.hijack();
    // Engines since API 1.42 say which it is; the framed one is what everything but a terminal gets.
    this.#framed = response.headers.get("content-type") !== "application/vnd.docker.raw-stream";
  }

  /** What the container writes, until it exits or the connection ends.
   *  @param tty  whether it has a terminal: then the bytes come raw, whatever an older engine called them */
  async *output(tty: boolean): AsyncGenerator<StreamPiece, void> {
    const decoder = this.#framed && !tty ? new FrameDecoder() : undefined;
    for (let bytes = await this.#stream.read(); bytes !== undefined; bytes = await this.#stream.read()) {
      if (decoder === undefined) yield { stream: "stdout", bytes };
      else yield* decoder.decode(bytes);
    }
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
