/**
 * Predicts what kind of container is started next, and how many. After two starts of a kind in short order a third is likely; the
 * longer such a series is, the more starts are worth having ready, and the longer they are worth keeping.
 */

import { OrlopError } from "../../base/errors.ts";
import { seeded } from "../../base/point.ts";

/** Two starts of a kind belong to one series if they are at most so far apart. */
const GAP_MS = 5000;
/** How long a ready start is kept for each start of the series but the first… */
const KEEP_MS = 1000;
/** …and at most. */
const KEEP_MAX_MS = 3000;
/** How many are made ready at most: one for each start of the series but the first, up to this. `ORLOP_READY_STARTS` lowers it. */
const READY_MAX = 4;
/** How many series of different kinds are remembered. */
const KINDS = 4;

/** 0 to 4; undefined and "" are the default, 4. @throws {OrlopError} bad_value */
export function parseReadyStarts(text: string | undefined): number {
  if (text === undefined || text === "") return READY_MAX;
  if (/^[0-4]$/.test(text)) return Number(text);
  throw OrlopError.of("bad_value", { what: "ORLOP_READY_STARTS", value: text, expected: `0 to ${READY_MAX}` });
}

export class LikelyKinds {
  readonly #max: number;
  /** By kind; the most recent one is last. */
  readonly #series = new Map<string, { readonly count: number; readonly atMs: number }>();

  /** @param max the limit of `likely` */
  constructor(max = READY_MAX) {
    this.#max = max;
  }

  /** Records a start of this kind. */
  record(kind: string, nowMs: number): void {
    const last = this.#series.get(kind);
    this.#series.delete(kind);
    const count = last !== undefined && nowMs - last.atMs <= GAP_MS ? last.count + 1 : 1;
    this.#series.set(kind, { count, atMs: nowMs });
    const [oldest] = this.#series.keys();
    if (this.#series.size > KINDS && oldest !== undefined) this.#series.delete(oldest);
  }

  /** How many further starts of this kind are likely; 0 for a kind that is not remembered. */
  likely(kind: string): number {
    return Math.min(this.#follows(kind), this.#max);
  }

  /** How long a ready start of this kind is kept, in milliseconds. */
  keepMs(kind: string): number {
    const maxMs = seeded("crash.impatient") ? KEEP_MS : KEEP_MAX_MS;
    return Math.min(this.#follows(kind) * KEEP_MS, maxMs);
  }

  #follows(kind: string): number {
    return (this.#series.get(kind)?.count ?? 1) - 1;
  }
}
