/**
 * A client of an exec's streams. A client's connection is handed over to the exec's monitor, so that it survives the engine's death.
 * Streams inside this process, and WebSockets, are relayed by the engine instead.
 */

import { closeSync, writeSync } from "node:fs";
import type { Duplex } from "node:stream";
import { OrlopError } from "../../base/errors.ts";
import { descriptorOf, duplicate } from "../../platform/descriptors.ts";
import { type AttachRequest, relay, type SessionEnd, streamsOf } from "../containers/attach-session.ts";
import type { ContainerProcess } from "../containers/container-process.ts";

/** The monitor's flag for the other framing: attach frames for a terminal, raw bytes for pipes. */
const OTHER_FRAMING = 8;

export class ExecClient {
  readonly #stream: Duplex;
  readonly #hasOtherFraming: boolean;
  /** A duplicate of the connection's descriptor, after it was handed over. */
  #descriptor: number | undefined;

  /** @param hasOtherFraming attach frames for a terminal, raw bytes for pipes */
  constructor(stream: Duplex, hasOtherFraming = false) {
    this.#stream = stream;
    this.#hasOtherFraming = hasOtherFraming;
  }

  /**
   * Connects the client to a process that waits at its gate. `session` settles when the client is done.
   *
   * @param over awaited before the client sees the end, if the engine relays its bytes
   */
  async join(
    process: ContainerProcess,
    request: Omit<AttachRequest, "logs" | "stream">,
    over: Promise<void>,
  ): Promise<{ readonly session: Promise<SessionEnd> }> {
    const asked = { ...request, logs: false, stream: true };
    const streams = streamsOf(asked) | (this.#hasOtherFraming ? OTHER_FRAMING : 0);
    await this.#flush();
    const descriptor = descriptorOf(this.#stream);
    if (descriptor === undefined) {
      const { stream } = await process.attach(streams, false);
      return { session: relay(stream, this.#stream, asked, () => over).over };
    }
    const input = this.#takeDescriptor(descriptor);
    const { over: session } = await process.give({
      ...request,
      streams,
      input,
      descriptor: this.#descriptor as number,
    });
    process.link.started.then(
      () => this.#close(),
      () => undefined, // `end` sends the error
    );
    return { session };
  }

  /** Sends a last message, and closes the connection. */
  end(bytes: Uint8Array): void {
    if (this.#descriptor === undefined) return void this.#stream.end(bytes);
    try {
      writeSync(this.#descriptor, bytes);
    } catch {
      // the client has closed
    }
    this.#close();
  }

  /** Resolves when everything written to the client has reached the kernel. */
  async #flush(): Promise<void> {
    if (this.#stream.writableLength > 0) await new Promise<void>((resolve) => this.#stream.write("", () => resolve()));
  }

  /** Stops reading from the connection in this process. @returns what was read already */
  #takeDescriptor(descriptor: number): Uint8Array {
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
