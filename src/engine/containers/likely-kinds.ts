/**
 * What kind of container is likely to be started next, and how many of it. Who has started two of a kind, one soon after the
 * other, does so again more often than not; and the longer it has gone on, the more is worth having ready, and for longer.
 */

import { OrlopError } from "../../base/errors.ts";

/** Starts of a kind that lie so far apart at most follow each other. */
const GAP_MS = 5000;
/** For each start behind the first one the next is waited for so long… */
const PATIENCE_MS = 1000;
/** …and this long at most. */
const MOST_PATIENCE_MS = 3000;
/** For each start behind the first one another is likely, but so many at most: `ORLOP_READY_STARTS` of the engine's environment. */
const MOST = 4;
/** Kinds that take turns. */
const KINDS = 4;

/** 0 to 4; undefined and "" are the default, 4. @throws {OrlopError} bad_value */
export function parseReadyStarts(text: string | undefined): number {
  if (text === undefined || text === "") return MOST;
  if (/^[0-4]$/.test(text)) return Number(text);
  throw OrlopError.of("bad_value", { what: "ORLOP_READY_STARTS", value: text, expected: `0 to ${MOST}` });
}

export class LikelyKinds {
  readonly #most: number;
  /** The one that was seen last comes last. */
  readonly #series = new Map<string, { readonly count: number; readonly atMs: number }>();

  /** @param most that are likely of one kind */
  constructor(most = MOST) {
    this.#most = most;
  }

  /** One of this kind was started. */
  note(kind: string, nowMs: number): void {
    const last = this.#series.get(kind);
    this.#series.delete(kind);
    const count = last !== undefined && nowMs - last.atMs <= GAP_MS ? last.count + 1 : 1;
    this.#series.set(kind, { count, atMs: nowMs });
    const [oldest] = this.#series.keys();
    if (this.#series.size > KINDS && oldest !== undefined) this.#series.delete(oldest);
  }

  /** How many are likely to be wanted; 0 for a kind that others have taken the place of. */
  likely(kind: string): number {
    return Math.min(this.#follows(kind), this.#most);
  }

  /** How long the next one is worth waiting for, in milliseconds. */
  patienceMs(kind: string): number {
    return Math.min(this.#follows(kind) * PATIENCE_MS, MOST_PATIENCE_MS);
  }

  #follows(kind: string): number {
    return (this.#series.get(kind)?.count ?? 1) - 1;
  }
}
