/** Hands a client's connection over to a monitor (native/given.c). Our own connection to the monitor then only tells when the client is gone. */

import { OrlopError } from "../base/errors.ts";
import { Conversation, type Listener } from "./conversation.ts";
import { type GivenAway, type GivenClient, StepFailure } from "./executor.ts";
import { type Answer, encodeClient, encodeHello, FrameDecoder } from "./frame.ts";

/** @throws {StepFailure} @throws {OrlopError} executor_lost */
export async function giveClient(socketPath: string, client: GivenClient): Promise<GivenAway> {
  const { streams, detachKeys, descriptor, input } = client;
  const listener = new Giving();
  const conversation = await Conversation.open(socketPath, listener);
  try {
    conversation.sendBeside(Buffer.concat([encodeHello(), encodeClient(streams, detachKeys, input)]), descriptor);
    await listener.attached;
  } catch (error) {
    conversation.close();
    throw error;
  }
  return { over: listener.over };
}

class Giving implements Listener {
  readonly #decoder = new FrameDecoder();
  readonly #attached = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<"ended" | "detached">();

  get attached(): Promise<void> {
    return this.#attached.promise;
  }

  get over(): Promise<"ended" | "detached"> {
    return this.#over.promise;
  }

  data(bytes: Uint8Array): void {
    try {
      for (const answer of this.#decoder.push(bytes)) this.#take(answer);
    } catch (error) {
      this.#refuse(error as Error);
    }
  }

  closed(error?: Error): void {
    this.#refuse(OrlopError.of("executor_lost", { reason: error?.message ?? "the connection closed" }, error));
    this.#over.resolve("ended");
  }

  #take(answer: Answer): void {
    if (answer.kind === "ATTACHED") this.#attached.resolve();
    else if (answer.kind === "DETACHED") this.#over.resolve("detached");
    else if (answer.kind === "FAILED") this.#refuse(new StepFailure([], answer.step, answer.errno, answer.detail));
    else this.#refuse(OrlopError.of("executor_lost", { reason: `${answer.kind} instead of ATTACHED` }));
  }

  #refuse(error: Error): void {
    this.#attached.promise.catch(() => undefined); // it may have been settled, or nobody waits any more
    this.#attached.reject(error);
  }
}
