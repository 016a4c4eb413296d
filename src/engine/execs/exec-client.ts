/**
 * Who takes part in an exec's streams. A connection is given to the exec's monitor, so that this engine's death costs it nothing;
 * bytes of a stream inside this process, or in frames of a WebSocket, are carried.
 */

import { closeSync, writeSync } from "node:fs";
import type { Duplex } from "node:stream";
import { OrlopError } from "../../base/errors.ts";
import { descriptorOf, duplicate } from "../../platform/descriptors.ts";
import { type AttachRequest, relay, type SessionEnd, streamsOf } from "../containers/attach-session.ts";
import type { ContainerProcess } from "../containers/container-process.ts";

/** The monitor's number for: frames where a terminal has none, none where pipes have them. */
const TURNED = 8;

export class ExecClient {
  readonly #stream: Duplex;
  readonly #isTurned: boolean;
  /** Its connection, once that is nobody's stream any more. */
  #descriptor: number | undefined;

  /** @param isTurned it wants its output framed otherwise than the exec's terminal, or none, says */
  constructor(stream: Duplex, isTurned = false) {
    this.#stream = stream;
    this.#isTurned = isTurned;
  }

  /**
   * Connects it to a process that waits at its gate. The inner promise settles when its part is over.
   *
   * @param over what must have come before it sees the end, where its bytes are carried
   */
  async join(
    process: ContainerProcess,
    request: Omit<AttachRequest, "logs" | "stream">,
    over: Promise<void>,
  ): Promise<{ readonly session: Promise<SessionEnd> }> {
    const asked = { ...request, logs: false, stream: true };
    const streams = streamsOf(asked) | (this.#isTurned ? TURNED : 0);
    await this.#isWritten();
    const descriptor = descriptorOf(this.#stream);
    if (descriptor === undefined) {
      const { stream } = await process.attach(streams, false);
      return { session: relay(stream, this.#stream, asked, () => over).over };
    }
    const input = this.#takeOut(descriptor);
    const { over: session } = await process.give({
      ...request,
      streams,
      input,
      descriptor: this.#descriptor as number,
    });
    process.link.started.then(
      () => this.#close(),
      () => undefined, // `end` has something to tell
    );
    return { session };
  }

  /** The last that is said to it. */
  end(bytes: Uint8Array): void {
    if (this.#descriptor === undefined) return void this.#stream.end(bytes);
    try {
      writeSync(this.#descriptor, bytes);
    } catch {
      // it has left
    }
    this.#close();
  }

  /** What was said to it is with the kernel. */
  async #isWritten(): Promise<void> {
    if (this.#stream.writableLength > 0) await new Promise<void>((resolve) => this.#stream.write("", () => resolve()));
  }

  /** From here on this process reads nothing of the connection any more; what it has read already is given back. */
  #takeOut(descriptor: number): Uint8Array {
    const input: Uint8Array[] = [];
    for (let piece = this.#stream.read(); piece !== null; piece = this.#stream.read()) input.push(piece);
    const own = duplicate(descriptor);
    if (own < 0) throw OrlopError.of("executor_lost", { reason: "no descriptor is free for the client's connection" });
    this.#descriptor = own;
    this.#stream.destroy();
    return Buffer.concat(input);
  }

  #close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}
