/** Request bodies: read whole, bounded, and only of the type that the route takes. */

import type { IncomingMessage } from "node:http";
import { OrlopError } from "../base/errors.ts";

/** posture.md, rule 9. */
const JSON_MAX_BYTES = 4 * 1024 * 1024;

/** The request's JSON; undefined for an empty body. @throws {OrlopError} bad_json, body_too_large, bad_value */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const bytes = await readBytes(request, JSON_MAX_BYTES);
  if (bytes.length === 0) return undefined;
  const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json")
    throw OrlopError.of("bad_value", { what: "Content-Type", value: type ?? "", expected: "application/json" });
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw OrlopError.of("bad_json", { reason: (error as Error).message }, error);
  }
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
    request.on("error", reject);
    request.on("close", () => reject(new Error("the client left in the middle of its request")));
  });
}
