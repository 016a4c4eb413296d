/** Reads JSON request bodies, within limits. */

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { OrlopError } from "../base/errors.ts";

/** Limits the memory that a request can take. */
const JSON_MAX_BYTES = 4 * 1024 * 1024;
/** The limit of Go's parser, and therefore Docker's. */
const NESTING_MAX = 10_000;

/** The client has closed its connection: there is nobody to answer, and nothing to log. */
export class ClientLeft extends Error {
  override readonly message = "the client left in the middle of its request";
}

/**
 * The request's JSON; undefined for an empty body.
 *
 * @param upgrade the connection of an upgrade request, from which its body is read
 * @throws {OrlopError} bad_json, body_too_large, bad_value
 */
export async function readJson(request: IncomingMessage, upgrade?: Socket): Promise<unknown> {
  const bytes = await (upgrade === undefined
    ? readBytes(request, JSON_MAX_BYTES)
    : takeBytes(upgrade, lengthOf(request, JSON_MAX_BYTES)));
  return parseJson(bytes, request.headers["content-type"]);
}

/** @throws {OrlopError} bad_json, bad_value */
export function parseJson(bytes: Uint8Array, contentType: string | undefined): unknown {
  if (bytes.length === 0) return undefined;
  const type = contentType?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json")
    throw OrlopError.of("bad_value", { what: "Content-Type", value: type ?? "", expected: "application/json" });
  if (isNestedDeeper(bytes, NESTING_MAX))
    throw OrlopError.of("bad_json", { reason: `nested over ${NESTING_MAX} deep` });
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw OrlopError.of("bad_json", { reason: (error as Error).message }, error);
  }
}

/** Checked before parsing, because recursion over a deeply nested value overflows the stack. */
function isNestedDeeper(json: Uint8Array, most: number): boolean {
  if (json.length <= most) return false;
  let depth = 0;
  let isString = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (byte === 0x22) isString = !isString;
    else if (isString && byte === 0x5c)
      i++; // an escaped quote does not end the string
    else if (!isString && (byte === 0x5b || byte === 0x7b) && ++depth > most) return true;
    else if (!isString && (byte === 0x5d || byte === 0x7d)) depth--;
  }
  return false;
}

/** Discards the body of an upgrade request: some clients (dockerode) send one with an attach, and it is not input for the container. */
export async function dropBody(request: IncomingMessage, upgrade: Socket): Promise<void> {
  await takeBytes(upgrade, lengthOf(request, JSON_MAX_BYTES));
}

function readBytes(request: IncomingMessage, limitBytes: number): Promise<Uint8Array> {
  const tooLarge = (): OrlopError => OrlopError.of("body_too_large", { limitBytes });
  if (Number(request.headers["content-length"] ?? 0) > limitBytes) return Promise.reject(tooLarge());
  const chunks: Uint8Array[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    request.on("data", (chunk: Uint8Array) => {
      size += chunk.length;
      if (size > limitBytes) {
        request.pause();
        reject(tooLarge());
      } else {
        chunks.push(chunk);
      }
    });
    request.on("end", () => resolve(Buffer.concat(chunks)));
    request.on("error", () => reject(new ClientLeft()));
    request.on("close", () => reject(new ClientLeft()));
  });
}

/** The length of an upgrade request's body, which cannot be chunked. */
function lengthOf({ headers }: IncomingMessage, limitBytes: number): number {
  if (headers["transfer-encoding"] !== undefined)
    throw OrlopError.of("bad_value", {
      what: "Transfer-Encoding",
      value: headers["transfer-encoding"],
      expected: "none with Upgrade",
    });
  const length = Number(headers["content-length"] ?? 0);
  if (length > limitBytes) throw OrlopError.of("body_too_large", { limitBytes });
  return length;
}

/** Reads exactly `length` bytes from a connection. */
async function takeBytes(socket: Socket, length: number): Promise<Uint8Array> {
  let bytes = Buffer.alloc(0);
  while (bytes.length < length) {
    const chunk: Buffer | null = socket.read();
    if (chunk !== null) bytes = Buffer.concat([bytes, chunk]);
    else if (socket.readableEnded || socket.destroyed) throw new ClientLeft();
    else await new Promise((resolve) => socket.once("readable", resolve).once("end", resolve).once("close", resolve));
  }
  if (bytes.length > length) socket.unshift(bytes.subarray(length));
  return bytes.subarray(0, length);
}
