/** What an engine answers, whatever way the request took. */
import { OrlopError } from "../base/errors.ts";
import type { ByteStream } from "./byte-stream.ts";
import type { HttpRequest } from "./http-message.ts";

/** An answer whose body is still to come. Read it, drop it, or take the connection over. */
export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** The body, piece by piece. Leaving the loop early gives the rest up. */
  stream(): AsyncGenerator<Uint8Array, void>;
  /** The whole body. @throws {OrlopError} engine_broke_off */
  bytes(): Promise<Uint8Array>;
  text(): Promise<string>;
  /** Takes the connection over, after 101 (or Docker's older 200): raw bytes in both directions. */
  hijack(): ByteStream;
}

/** The way to an engine. */
export interface Exchange {
  /** Sends a request and waits for the answer's head. @throws {OrlopError} engine_unreachable, engine_broke_off */
  send(request: HttpRequest): Promise<Answer>;
  /** A next request will find its way open. */
  openAhead(): void;
  close(): void;
}

/** JSON answers are far smaller; logs and attach are read as streams, without this limit. */
const answerLimitBytes = 64 * 1024 * 1024;

/** A body as one. @throws {OrlopError} engine_broke_off */
export async function joinBody(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of stream) {
    pieces.push(piece);
    sizeBytes += piece.length;
    if (sizeBytes > answerLimitBytes)
      throw OrlopError.of("engine_broke_off", { reason: `its answer is over ${answerLimitBytes} bytes` });
  }
  if (pieces.length === 1) return pieces[0] as Uint8Array;
  const whole = new Uint8Array(sizeBytes);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
