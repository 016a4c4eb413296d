/** What a search found, in the Engine API's spelling, and its filters. */

import { OrlopError } from "../base/errors.ts";
import type { FoundRepository } from "../engine/images/registry-questions.ts";
import type { Filters } from "./query.ts";

export function foundJson({ name, description, stars, isOfficial }: FoundRepository): object {
  return { star_count: stars, is_official: isOfficial, name, is_automated: false, description };
}

/** @throws {OrlopError} bad_value */
export function searchFilter(filters: Filters): (found: FoundRepository) => boolean {
  const stars = (filters["stars"] ?? []).map((text) => {
    if (!/^\d{1,9}$/.test(text)) throw OrlopError.of("bad_filter", { filter: `stars=${text}`, expected: "a number" });
    return Number(text);
  });
  const official = truthOf(filters, "is-official");
  const automated = truthOf(filters, "is-automated");
  return (found) =>
    stars.every((least) => found.stars >= least) &&
    (official === undefined || found.isOfficial === official) &&
    automated !== true;
}

function truthOf(filters: Filters, key: string): boolean | undefined {
  const value = filters[key]?.[0];
  if (value === undefined) return undefined;
  if (!["1", "0", "true", "false"].includes(value))
    throw OrlopError.of("bad_filter", { filter: `${key}=${value}`, expected: "true or false" });
  return value === "1" || value === "true";
}
