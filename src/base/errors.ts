/**
 * Every error a user can meet, in one table: what is wrong with which value, and what to do. Its parts are in errors/, by what
 * they are about.
 *
 * The kind says what the caller can do about it; HTTP status (`src/api`) and exit code (`src/cli`) come from the kind alone.
 * Codes are public: add, never rename. docs/errors.md is made from this table.
 */

import { containerErrors } from "./errors/containers.ts";
import { engineErrors } from "./errors/engine.ts";
import { fileErrors } from "./errors/files.ts";
import { imageErrors } from "./errors/images.ts";
import { networkErrors } from "./errors/networks.ts";
import { requestErrors } from "./errors/requests.ts";
import type { ErrorKind, Row } from "./errors/row.ts";

export type { ErrorKind } from "./errors/row.ts";
export type { Started } from "./errors/start-failures.ts";

export const errorTable = {
  ...requestErrors,
  ...engineErrors,
  ...containerErrors,
  ...fileErrors,
  ...networkErrors,
  ...imageErrors,
} as const satisfies Record<string, unknown>;

export type ErrorCode = keyof typeof errorTable;
type ParametersOf<C extends ErrorCode> = (typeof errorTable)[C] extends Row<infer P> ? P : never;

/** An error a user can meet. `message` is one line: what is wrong, then what to do. */
export class OrlopError extends Error {
  readonly code: ErrorCode;
  readonly kind: ErrorKind;

  private constructor(code: ErrorCode, kind: ErrorKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "OrlopError";
    this.code = code;
    this.kind = kind;
  }

  /** The error of this code, e.g. `OrlopError.of("no_such_container", { id })`. */
  static of<C extends ErrorCode>(code: C, parameters: ParametersOf<C>, cause?: unknown): OrlopError {
    const entry = errorTable[code] as unknown as Row<ParametersOf<C>>;
    const remedy = entry.remedy(parameters);
    const message = entry.wrong(parameters) + (remedy === "" ? "" : `: ${remedy}`);
    return new OrlopError(code, entry.kind, message, cause);
  }

  /** An error from another thread: only these two parts survive a message between threads. */
  static again(code: ErrorCode, message: string): OrlopError {
    return new OrlopError(code, errorTable[code].kind, message);
  }
}
