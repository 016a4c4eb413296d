/** `images --filter`. Values of one key are alternatives, except for labels, which must all match; all keys must match. */

import { OrlopError } from "../base/errors.ts";
import { Pattern } from "../base/pattern.ts";
import { parseTime } from "../base/point-in-time.ts";
import type { ImageRecord, NameRecord } from "../engine/images/image-record.ts";
import type { ImageRow, ImageTable } from "../engine/images/image-table.ts";
import { familiarName, familiarReference, parseReference } from "../spec/reference.ts";
import { hasLabel } from "./prune-filters.ts";
import type { Filters } from "./query.ts";

/** The names that the filter lets through. */
export type FoundImage = ImageRow;

/** Newest first, by the creation time in their configuration. */
export function filterImages(table: ImageTable, filters: Filters): FoundImage[] {
  const patterns = filters["reference"]?.map(globPattern);
  const before = limitOf(table, filters["before"], Math.min);
  const since = limitOf(table, filters["since"], Math.max);
  const until = filters["until"]
    ?.map((text) => Number(parseTime(text, "until filter", Date.now())) * 1000)
    .reduce((a, b) => Math.min(a, b));
  const wantsDangling = danglingOf(filters["dangling"]);
  const found = table.rows().map(({ image, names: all, platforms }) => {
    const names = patterns === undefined ? all : all.filter((name) => matches(name, patterns));
    return { image, all, names, platforms };
  });
  return found
    .filter(
      ({ image, all, names }) =>
        (patterns === undefined || names.length > 0) &&
        (wantsDangling === undefined || wantsDangling === isDangling(all)) &&
        (filters["label"] ?? []).every((label) => hasLabel(image.labels, label)) &&
        (before === undefined || createdMsOf(image) < before) &&
        (since === undefined || createdMsOf(image) > since) &&
        (until === undefined || createdMsOf(image) < until),
    )
    .map(({ image, names, platforms }) => ({ image, names, platforms }))
    .sort((a, b) => createdMsOf(b.image) - createdMsOf(a.image));
}

/** Whether the built-in image `host` matches: it has a name, but no labels and no creation time. */
export function showsHost(filters: Filters): boolean {
  const { reference, label, before, since, until } = filters;
  if (label !== undefined || before !== undefined || since !== undefined || until !== undefined) return false;
  if (danglingOf(filters["dangling"]) === true) return false;
  return reference === undefined || reference.map(globPattern).some((p) => p.test("host:latest") || p.test("host"));
}

export function createdMsOf({ created }: ImageRecord): number {
  return created === undefined ? 0 : Date.parse(created) || 0;
}

/** No tag leads to it. */
function isDangling(names: readonly NameRecord[]): boolean {
  return names.every(({ reference }) => reference.includes("@"));
}

/** undefined: both. @throws {OrlopError} bad_value */
export function danglingOf(values: readonly string[] | undefined): boolean | undefined {
  const [value] = values ?? [];
  if (value === undefined) return undefined;
  const isTrue = ["1", "true", "t"].includes(value.toLowerCase());
  if (!isTrue && !["0", "false", "f"].includes(value.toLowerCase()))
    throw OrlopError.of("bad_filter", { filter: `dangling=${value}`, expected: "true or false" });
  return isTrue;
}

function limitOf(
  table: ImageTable,
  values: readonly string[] | undefined,
  choose: (...times: number[]) => number,
): number | undefined {
  return values === undefined ? undefined : choose(...values.map((value) => createdMsOf(table.get(value))));
}

function matches({ reference }: NameRecord, patterns: readonly Pattern[]): boolean {
  const parsed = parseReference(reference);
  return patterns.some((pattern) => pattern.test(familiarReference(parsed)) || pattern.test(familiarName(parsed)));
}

/** Go's path.Match: `*` and `?` stop at slashes, `[a-z]` is a class, a backslash takes the next character as it is. */
function globPattern(glob: string): Pattern {
  const refuse = (): OrlopError =>
    OrlopError.of("bad_value", { what: "reference filter", value: glob, expected: "a pattern such as alpine:3.*" });
  const source = glob.replace(/\\(.)|\[(\^?)([^\]]+)\]|[\s\S]/g, (part, escaped, negated, characters) => {
    if (escaped !== undefined) return RegExp.escape(escaped);
    if (characters !== undefined) return `[${negated}${characters.replace(/[\\[\]^]/g, "\\$&")}]`;
    if (part === "*") return "[^/]*";
    if (part === "?") return "[^/]";
    return RegExp.escape(part);
  });
  try {
    return new Pattern(`^${source}$`);
  } catch {
    throw refuse(); // a class whose end is before its beginning
  }
}
