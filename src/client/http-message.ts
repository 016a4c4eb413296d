/** HTTP/1.1 messages (RFC 9112), as far as a client of the Engine API needs them. */
import { OrlopError } from "../base/errors.ts";
import type { ByteReader } from "./byte-reader.ts";

/** A status or header line of an answer; ours are far shorter, a proxy's may not be. */
const lineLimitBytes = 64 * 1024;
const headerLimit = 200;

export interface HttpRequest {
  readonly method: string;
  /** Path and query, already encoded. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent with a Content-Length. */
  readonly body?: Uint8Array;
  /** Sent in chunks, at the server's pace; instead of `body`. */
  readonly stream?: AsyncIterable<Uint8Array>;
}

export interface HttpHead {
  readonly status: number;
  /** Names in lower case; of a repeated header the values are joined with ", ". */
  readonly headers: ReadonlyMap<string, string>;
}

const encoder = new TextEncoder();

/** The bytes of a request. A POST without a body says so, as servers may wait for one otherwise. */
export function encodeRequest(request: HttpRequest, host: string): Uint8Array {
  const lines = [`${request.method} ${request.target} HTTP/1.1`, `Host: ${host}`];
  for (const [name, value] of Object.entries(request.headers ?? {})) lines.push(`${name}: ${value}`);
  if (request.stream !== undefined) lines.push("Transfer-Encoding: chunked");
  const size = request.stream !== undefined ? undefined : sizeOf(request);
  if (size !== undefined) lines.push(`Content-Length: ${size}`);
  const head = encoder.encode(`${lines.join("\r\n")}\r\n\r\n`);
  if (request.body === undefined) return head;
  const bytes = new Uint8Array(head.length + request.body.length);
  bytes.set(head);
  bytes.set(request.body, head.length);
  return bytes;
}

function sizeOf({ method, body }: HttpRequest): number | undefined {
  return body?.length ?? (method === "POST" || method === "PUT" ? 0 : undefined);
}

/** One piece of a streamed body; an empty one ends it. */
export function encodeChunk(bytes: Uint8Array): Uint8Array {
  const size = encoder.encode(`${bytes.length.toString(16)}\r\n`);
  const chunk = new Uint8Array(size.length + bytes.length + 2);
  chunk.set(size);
  chunk.set(bytes, size.length);
  chunk.set([13, 10], size.length + bytes.length);
  return chunk;
}

/** Reads status line and headers; undefined when the connection ended before its first byte.
 *  @throws {OrlopError} engine_broke_off */
export async function readHead(reader: ByteReader): Promise<HttpHead | undefined> {
  const first = await reader.line(lineLimitBytes);
  if (first === undefined) return undefined;
  const match = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first);
  if (match === null)
    throw OrlopError.of("engine_broke_off", {
      reason: `its answer is not HTTP: ${JSON.stringify(first.slice(0, 60))}`,
    });
  const headers = new Map<string, string>();
  for (let count = 0; ; count++) {
    const line = await reader.line(lineLimitBytes);
    if (line === "") return { status: Number(match[1]), headers };
    const colon = line?.indexOf(":") ?? -1;
    if (line === undefined || colon < 1 || count >= headerLimit)
      throw OrlopError.of("engine_broke_off", { reason: "the headers of its answer are not whole" });
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    const earlier = headers.get(name);
    headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
  }
}

/** How an answer's body ends (RFC 9112, 6.3). */
export type BodyLength =
  | { readonly kind: "none" | "chunked" | "until-close" }
  | { readonly kind: "sized"; readonly sizeBytes: number };

export function bodyLength(method: string, head: HttpHead): BodyLength {
  if (method === "HEAD" || head.status === 204 || head.status === 304 || head.status < 200) return { kind: "none" };
  if (/\bchunked\b/i.test(head.headers.get("transfer-encoding") ?? "")) return { kind: "chunked" };
  const length = head.headers.get("content-length");
  if (length === undefined) return { kind: "until-close" };
  if (!/^\d{1,15}$/.test(length))
    throw OrlopError.of("engine_broke_off", { reason: `its answer's Content-Length is ${JSON.stringify(length)}` });
  return length === "0" ? { kind: "none" } : { kind: "sized", sizeBytes: Number(length) };
}

/** The body's bytes, piece by piece. Returns after the last one; the reader then stands at the next answer.
 *  @throws {OrlopError} engine_broke_off, when the connection ends inside the body */
export async function* readBody(reader: ByteReader, length: BodyLength): AsyncGenerator<Uint8Array, void> {
  if (length.kind === "sized") yield* exactly(reader, length.sizeBytes);
  else if (length.kind === "chunked") yield* chunks(reader);
  else if (length.kind === "until-close")
    for (let bytes = await reader.some(); bytes !== undefined; bytes = await reader.some()) yield bytes;
}

async function* exactly(reader: ByteReader, sizeBytes: number): AsyncGenerator<Uint8Array, void> {
  for (let left = sizeBytes; left > 0; ) {
    const bytes = await reader.atMost(left);
    if (bytes === undefined)
      throw OrlopError.of("engine_broke_off", { reason: `${left} bytes of its answer are missing` });
    left -= bytes.length;
    yield bytes;
  }
}

async function* chunks(reader: ByteReader): AsyncGenerator<Uint8Array, void> {
  for (;;) {
    const size = /^([0-9a-f]{1,12})\s*(?:;.*)?$/i.exec((await reader.line(lineLimitBytes)) ?? "");
    if (size === null) throw OrlopError.of("engine_broke_off", { reason: "a chunk of its answer has no size" });
    const sizeBytes = Number.parseInt(size[1] as string, 16);
    if (sizeBytes === 0) break;
    yield* exactly(reader, sizeBytes);
    if ((await reader.line(lineLimitBytes)) !== "")
      throw OrlopError.of("engine_broke_off", { reason: "a chunk of its answer is longer than it said" });
  }
  // Trailers, which nobody sends us, up to the empty line.
  for (let line = await reader.line(lineLimitBytes); line !== ""; line = await reader.line(lineLimitBytes))
    if (line === undefined) throw OrlopError.of("engine_broke_off", { reason: "its answer has no end" });
}
