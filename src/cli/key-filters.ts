/** `--filter KEY=VALUE`, given any number of times. */
import { OrlopError } from "../base/errors.ts";

/** `status=exited` … → { status: ["exited"] }; the engine knows which keys there are. */
export function parseFilters(texts: readonly string[]): Record<string, string[]> {
  const filters: Record<string, string[]> = {};
  for (const text of texts) {
    const match = /^([^=]+)=(.*)$/s.exec(text);
    if (match === null) throw OrlopError.of("bad_value", { what: "--filter", value: text, expected: "KEY=VALUE" });
    const key = (match[1] as string).trim().toLowerCase();
    filters[key] = [...(filters[key] ?? []), match[2] as string];
  }
  return filters;
}
