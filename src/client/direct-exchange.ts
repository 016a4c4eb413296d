/** Requests to an engine in this very process: values instead of HTTP. Only the bodies stay what they are elsewhere. */
import { type Answer, type Exchange, joinBody } from "./answer.ts";
import type { ByteStream } from "./byte-stream.ts";
import type { HttpRequest } from "./http-message.ts";

/** What the server in this process gives back. */
export interface DirectAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** A text is there at once, a promise later; a stream comes piece by piece. */
  readonly body: string | Promise<string> | AsyncIterable<Uint8Array>;
  /** The connection that the route wants to take over. */
  readonly connection?: ByteStream;
}

export type AnswerDirectly = (request: HttpRequest) => Promise<DirectAnswer>;

/** @param answer  the server's; rejects when whoever asked is gone */
export function directExchange(answer: AnswerDirectly): Exchange {
  return {
    send: async (request) => new GivenAnswer(await answer(request)),
    openAhead: () => undefined,
    close: () => undefined,
  };
}

class GivenAnswer implements Answer {
  readonly #given: DirectAnswer;

  constructor(given: DirectAnswer) {
    this.#given = given;
  }

  get status(): number {
    return this.#given.status;
  }

  get headers(): ReadonlyMap<string, string> {
    return this.#given.headers;
  }

  async *stream(): AsyncGenerator<Uint8Array, void> {
    const { body } = this.#given;
    if (typeof body === "string" || body instanceof Promise) yield new TextEncoder().encode(await body);
    else yield* body;
  }

  async bytes(): Promise<Uint8Array> {
    return joinBody(this.stream());
  }

  async text(): Promise<string> {
    const { body } = this.#given;
    if (typeof body === "string" || body instanceof Promise) return body;
    return new TextDecoder().decode(await joinBody(body));
  }

  hijack(): ByteStream {
    const { connection } = this.#given;
    if (connection === undefined) throw new Error(`an answer of ${this.status} has no connection to take over`);
    return connection;
  }
}
