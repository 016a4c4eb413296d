/** A program in a container, as the program that started it sees it: its input, its output, its exit code. */
import type { AttachedContainer, OutputPiece } from "../client/attach.ts";
import { isLost } from "../client/lost-engine.ts";

/** What a program wrote until its end, and how it ended. */
export interface Finished {
  /** 0 to 255; 128 and a signal's number when it was killed by one (137: SIGKILL). */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where a process's streams and exit come from. */
export interface ProcessSource {
  readonly attached: AttachedContainer;
  /** Whether the program's input is open: else there is nothing to write to. */
  readonly stdin: boolean;
  readonly terminal: boolean;
  /** Resolves with the exit code, once it has ended. */
  readonly exited: () => Promise<number>;
  readonly resize: (rows: number, columns: number) => Promise<void>;
}

const encoder = new TextEncoder();

export class ContainerProcess {
  readonly #source: ProcessSource;
  #isRead = false;

  constructor(source: ProcessSource) {
    this.#source = source;
  }

  /**
   * What the program writes, as it comes, until its end. It can be read once. While nobody reads, the program is stopped at its
   * next write when the pipes between are full. Leaving the loop early closes the connection, and the program goes on without it.
   *
   * @throws {OrlopError} engine_broke_off: the connection is lost
   * @throws {Error} the output is already being read
   */
  async *output(): AsyncGenerator<OutputPiece, void> {
    if (this.#isRead) throw new Error("the output of this process is already being read");
    this.#isRead = true;
    const { attached, terminal } = this.#source;
    try {
      yield* attached.output(terminal);
    } finally {
      attached.close();
    }
  }

  /** Writes to the program's standard input; text as UTF-8. Resolves when more can be taken. @throws {OrlopError} engine_broke_off */
  write(data: string | Uint8Array): Promise<void> {
    return this.#source.attached.write(typeof data === "string" ? encoder.encode(data) : data);
  }

  /** Ends the program's standard input. Its output goes on. */
  endInput(): void {
    this.#source.attached.endInput();
  }

  /** Sets the size of its terminal. */
  resize(rows: number, columns: number): Promise<void> {
    return this.#source.resize(rows, columns);
  }

  /** Its exit code, once it has ended. Output that nobody reads is thrown away, so that it can end. */
  async exit(): Promise<number> {
    if (!this.#isRead) await this.#drain();
    return this.#source.exited();
  }

  async #drain(): Promise<void> {
    try {
      for await (const _ of this.output());
    } catch (error) {
      if (!isLost(error)) throw error; // the connection is lost, and the exit can still be asked for
    }
  }

  /** Writes `input` and ends it, keeps all that the program writes in memory (as UTF-8), and waits for its end. */
  async finish(input?: string | Uint8Array): Promise<Finished> {
    if (this.#source.stdin) void this.#pass(input);
    const text = { stdout: "", stderr: "" };
    const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
    for await (const { stream, bytes } of this.output())
      text[stream] += decoders[stream].decode(bytes, { stream: true });
    for (const stream of ["stdout", "stderr"] as const) text[stream] += decoders[stream].decode();
    return { exitCode: await this.#source.exited(), ...text };
  }

  /** All of the input, beside the reading of the output. A program may end without having read it. */
  async #pass(input: string | Uint8Array | undefined): Promise<void> {
    try {
      if (input !== undefined) await this.write(input);
      this.endInput();
    } catch {
      // The connection is lost: whoever reads the output is told.
    }
  }

  /** Leaves the program to itself: it goes on, its input and output are no longer ours. */
  close(): void {
    this.#source.attached.close();
  }
}
