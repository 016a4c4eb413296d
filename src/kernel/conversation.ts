/**
 * A connection to the executor that carries frames in both directions. Uses Bun's own sockets, at a fifth of the cost of a node:net
 * stream, because every container needs two of these.
 */

import type { Socket, SocketHandler } from "bun";
import { OrlopError } from "../base/errors.ts";
import { sendWithDescriptor } from "../platform/descriptors.ts";
import { withShortPath } from "./connect-unix.ts";

export interface Listener {
  data(bytes: Uint8Array): void;
  /** Called once: the other side has closed, the connection was lost (with an error), or `close` was called. */
  closed(error?: Error): void;
}

export class Conversation {
  readonly #listener: Listener;
  #socket: Socket<Conversation> | undefined;
  /** What the socket has not taken yet. */
  #unsent: Uint8Array[] = [];
  #isOver = false;
  #isFinished = false;

  private constructor(listener: Listener) {
    this.#listener = listener;
  }

  /** @throws {OrlopError} executor_lost: nobody listens */
  static async open(path: string, listener: Listener): Promise<Conversation> {
    const conversation = new Conversation(listener);
    try {
      await withShortPath(path, (unix) => conversation.#connect(unix));
    } catch (error) {
      throw OrlopError.of("executor_lost", { reason: (error as Error).message }, error);
    }
    return conversation;
  }

  async #connect(unix: string): Promise<void> {
    this.#socket = await Bun.connect<Conversation>({
      unix,
      allowHalfOpen: true,
      data: this,
      socket: Conversation.handlers,
    });
  }

  /** One object for all connections, of which every running container has one. */
  static readonly handlers: SocketHandler<Conversation> = {
    data: ({ data }, bytes) => {
      if (!data.#isOver) data.#listener.data(bytes);
    },
    drain: ({ data }) => data.#send(),
    end: ({ data }) => data.close(),
    close: ({ data }) => data.#end(),
    error: ({ data }, error) => data.#end(error),
  };

  /** Bytes that cannot be sent because the other side is gone are dropped silently: `closed` tells the listener. */
  send(bytes: Uint8Array): void {
    if (this.#isOver || this.#isFinished) return;
    this.#unsent.push(bytes);
    if (this.#unsent.length === 1) this.#send();
  }

  /** Sends the first bytes of the connection, with a descriptor (SCM_RIGHTS), which may be closed afterwards. @throws {OrlopError} executor_lost */
  sendBeside(bytes: Uint8Array, descriptor: number): void {
    const { fd = -1 } = (this.#socket ?? {}) as { readonly fd?: number }; // Bun's sockets have it, its types do not
    const taken = sendWithDescriptor(fd, bytes, descriptor);
    if (taken < 0) throw OrlopError.of("executor_lost", { reason: "a connection could not be given away" });
    if (taken < bytes.length) this.send(bytes.subarray(taken));
  }

  #send(): void {
    for (let next = this.#unsent[0]; next !== undefined; next = this.#unsent[0]) {
      const taken = this.#socket?.write(next) ?? -1;
      if (taken < 0) return; // closed
      if (taken < next.length) {
        this.#unsent[0] = next.subarray(taken);
        return;
      }
      this.#unsent.shift();
    }
    if (this.#isFinished) this.#socket?.shutdown();
  }

  /** Half-closes: nothing more will be sent, but the other side may still answer. */
  finish(): void {
    if (this.#isOver || this.#isFinished) return;
    this.#isFinished = true;
    this.#send();
  }

  close(): void {
    this.#socket?.terminate();
    this.#end();
  }

  #end(error?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#unsent = [];
    this.#listener.closed(error);
  }
}
