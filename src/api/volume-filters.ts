/** `volume ls --filter` and `volume prune --filter`. Values of one key are alternatives, except for labels, which must all match; all keys must match. */

import { OrlopError } from "../base/errors.ts";
import type { Volume } from "../engine/volumes/volume.ts";
import type { Filters } from "./query.ts";
import { has } from "./versions.ts";

/** The volumes that match. @throws {OrlopError} bad_value */
export function volumeFilter(filters: Filters): (volume: Volume) => boolean {
  const dangling = filters["dangling"] === undefined ? undefined : truthOf("dangling", filters["dangling"]);
  return (volume) =>
    (dangling === undefined || dangling === (volume.references.size === 0)) &&
    holds(filters["name"], (name) => volume.name.includes(name)) &&
    holds(filters["driver"], (driver) => driver === "local") &&
    (filters["label"] ?? []).every((label) => hasLabel(volume, label)) &&
    !(filters["label!"] ?? []).some((label) => hasLabel(volume, label));
}

/** The volumes that a prune may remove: since API 1.42 anonymous ones only, unless `all` is given. @throws {OrlopError} bad_value */
export function pruneFilter(filters: Filters, apiMinor: number): (volume: Volume) => boolean {
  const all = filters["all"] === undefined ? !has(apiMinor, "pruneNamed") : truthOf("all", filters["all"]);
  const matches = volumeFilter(filters);
  return (volume) => (all || volume.record.anonymous) && matches(volume);
}

function holds(values: readonly string[] | undefined, test: (value: string) => boolean): boolean {
  return values === undefined || values.some(test);
}

function truthOf(name: string, values: readonly string[]): boolean {
  const words = new Set(values.map((value) => value.toLowerCase()));
  const yes = words.has("true") || words.has("1");
  const no = words.has("false") || words.has("0");
  if (yes !== no) return yes;
  throw OrlopError.of("bad_filter", { filter: `${name}=${values.join()}`, expected: "true or false" });
}

function hasLabel({ record }: Volume, label: string): boolean {
  const equals = label.indexOf("=");
  const labels = record.labels ?? {};
  if (equals < 0) return Object.hasOwn(labels, label);
  const key = label.slice(0, equals);
  return Object.hasOwn(labels, key) && labels[key] === label.slice(equals + 1);
}
