/** Replies to requests from inside this process: as values, where `server.ts` writes to a connection. */

import { log } from "../base/log.ts";
import { DirectConnection, type FarSide } from "./direct-connection.ts";
import type { Reply } from "./reply.ts";

export interface DirectRequest {
  readonly method: string;
  /** Path and query, encoded. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly stream?: AsyncIterable<Uint8Array>;
}

export interface DirectAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string | Promise<string> | AsyncIterable<Uint8Array>;
  readonly connection?: FarSide;
}

/** @param signal aborted when the caller is gone: work for this request is given up */
export function answerWith(reply: Reply, signal: AbortSignal): DirectAnswer {
  switch (reply.kind) {
    case "json":
      return { status: reply.status, headers: namesOf(reply.headers), body: `${JSON.stringify(reply.value)}\n` };
    case "text":
      return { status: reply.status, headers: namesOf(reply.headers), body: reply.text };
    case "later": {
      const body = reply.value.then((value) => JSON.stringify(value));
      body.catch(() => undefined); // reported to whoever reads the body; if nobody does, the rejection must not end the engine
      return { status: 200, headers: new Map(), body };
    }
    case "stream":
      return { status: 200, headers: namesOf(reply.headers), body: reply.chunks };
    case "hijack": {
      const connection = new DirectConnection();
      const leave = (): void => void connection.destroy();
      signal.addEventListener("abort", leave, { once: true });
      connection.on("error", (error) => log("warn", "a command's stream was lost", error));
      connection.once("close", () => signal.removeEventListener("abort", leave));
      reply.take(connection).catch((error: unknown) => {
        log("warn", "an attached command was lost", error);
        connection.destroy();
      });
      return { status: 101, headers: new Map(), body: "", connection: connection.far };
    }
  }
}

function namesOf(headers: Readonly<Record<string, string>> = {}): ReadonlyMap<string, string> {
  return new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
