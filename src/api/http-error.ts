/** The one place where an error becomes HTTP. */

import { type ErrorKind, OrlopError } from "../base/errors.ts";
import { log } from "../base/log.ts";
import { ClientLeft } from "./body.ts";
import { json, type Reply } from "./reply.ts";

/** A new kind does not compile until it has a status. */
const statusOf: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  denied: 403,
  not_found: 404,
  conflict: 409,
  unsupported: 501,
  unavailable: 503,
  internal: 500,
};

export function errorReply(error: unknown): Reply {
  if (error instanceof OrlopError) return json({ message: error.message }, statusOf[error.kind]);
  if (error instanceof ClientLeft) return json({ message: error.message }, statusOf.invalid);
  // A fault in Orlop: the client gets the message, the log gets the stack trace.
  log("error", "a request failed", error);
  return json({ message: error instanceof Error ? error.message : String(error) }, 500);
}
