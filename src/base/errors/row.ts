/** A row of the tables of errors. */

/** invalid: change the request. denied: change who asks. not_found, conflict: change the state. unsupported: change the
 *  machine or the version. unavailable: try again. internal: a fault of ours. */
export type ErrorKind = "invalid" | "denied" | "not_found" | "conflict" | "unsupported" | "unavailable" | "internal";

export interface Row<P> {
  readonly kind: ErrorKind;
  readonly wrong: (parameters: P) => string;
  readonly remedy: (parameters: P) => string;
}

/** One row: its kind, the sentence that says what is wrong, and the one that says what to do ("" where the first says it). */
export function row<P>(kind: ErrorKind, wrong: (p: P) => string, remedy: (p: P) => string = () => ""): Row<P> {
  return { kind, wrong, remedy };
}
