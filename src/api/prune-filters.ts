/** The filters of `prune`, the same for every kind of object: `until`, `label` and `label!`. */

import { OrlopError } from "../base/errors.ts";
import { parseTime } from "../base/point-in-time.ts";
import { type Filters, filters } from "./query.ts";

export const pruneFilterKeys = ["until", "label", "label!"] as const;

/** The parser of the parameter `filters` for prunes that take no others. */
export const pruneFilters = filters(...pruneFilterKeys);

export interface PruneChoice {
  /** Only objects created before; undefined: all. */
  readonly untilMs: number | undefined;
  hasLabels(labels: Readonly<Record<string, string>>): boolean;
}

/** @throws {OrlopError} bad_value */
export function pruneChoiceOf(given: Filters, nowMs = Date.now()): PruneChoice {
  const [until, ...more] = given["until"] ?? [];
  if (more.length > 0)
    throw OrlopError.of("bad_value", { what: "until filter", value: more.join(", "), expected: "one of them" });
  return {
    untilMs: until === undefined ? undefined : Number(parseTime(until, "until filter", nowMs)) * 1000,
    hasLabels: (labels) =>
      (given["label"] ?? []).every((label) => hasLabel(labels, label)) &&
      !(given["label!"] ?? []).some((label) => hasLabel(labels, label)),
  };
}

/** "KEY": there is one; "KEY=VALUE": with that value. */
export function hasLabel(labels: Readonly<Record<string, string>>, label: string): boolean {
  const equals = label.indexOf("=");
  if (equals < 0) return Object.hasOwn(labels, label);
  const key = label.slice(0, equals);
  return Object.hasOwn(labels, key) && labels[key] === label.slice(equals + 1);
}
