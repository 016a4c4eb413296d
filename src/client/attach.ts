/** A connection that is a container's standard input, output and error. */
import { AttachFrameDecoder, type AttachStream } from "../spec/attach-frame.ts";
import type { Answer } from "./answer.ts";
import type { ByteStream } from "./byte-stream.ts";

export interface AttachStreams {
  readonly stdin?: boolean;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  /** First what the log has. */
  readonly logs?: boolean;
  readonly detachKeys?: string;
}

export interface OutputPiece {
  readonly stream: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}

/** Bytes of an attach connection or a log → what the container wrote where.
 *  @param tty  whether it has a terminal: then the bytes come raw, else framed (an answer's Content-Type says which only since
 *              API 1.42; before, engines called both raw) */
export async function* readOutput(chunks: AsyncIterable<Uint8Array>, tty: boolean): AsyncGenerator<OutputPiece, void> {
  const decoder = tty ? undefined : new AttachFrameDecoder();
  for await (const chunk of chunks) {
    if (decoder === undefined) yield { stream: "stdout", bytes: chunk };
    else for (const { stream, bytes } of decoder.push(chunk)) yield { stream: outputNames[stream], bytes };
  }
}

/** An error of the engine's own goes where errors go; stdin is what old engines echoed. */
const outputNames = { 0: "stdout", 1: "stdout", 2: "stderr", 3: "stderr" } as const satisfies Record<
  AttachStream,
  string
>;

export class AttachedContainer {
  readonly #stream: ByteStream;

  constructor(response: Answer) {
    this.#stream = response.hijack();
  }

  /** What the container writes, until it exits or the connection ends. */
  output(tty: boolean): AsyncGenerator<OutputPiece, void> {
    return readOutput(chunksOf(this.#stream), tty);
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

async function* chunksOf(stream: ByteStream): AsyncGenerator<Uint8Array, void> {
  for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) yield bytes;
}
