/** Points in time as people write them (`--since`, `until`): a date, a Unix time, or how long ago. */
import { durationOf } from "./duration.ts";
import { OrlopError } from "./errors.ts";

/** A point in time as the API wants it, Unix seconds with a fraction. Durations count back from now. */
export function parseTime(text: string, what: string, nowMs: number): string {
  if (/^\d+(\.\d{1,9})?$/.test(text)) return text;
  const agoMs = durationOf(text);
  const timeMs = agoMs === undefined ? dateOf(text) : nowMs - agoMs;
  if (Number.isNaN(timeMs))
    throw OrlopError.of("bad_value", {
      what,
      value: text,
      expected: "a time such as 2026-01-31T12:00:00Z, a Unix time, or a duration such as 10m",
    });
  return (timeMs / 1000).toFixed(9);
}

/** A date, or date and time; without a zone it is local time, as in Docker's CLI. */
function dateOf(text: string): number {
  const match = /^\d{4}-\d{2}-\d{2}(T\d{2}(:\d{2}(:\d{2}(\.\d{1,9})?)?)?(Z|[+-]\d{2}:\d{2})?)?$/.exec(text);
  if (match === null) return Number.NaN;
  const hoursOnly = match[1] !== undefined && match[2] === undefined;
  const time = match[1] === undefined ? `${text}T00:00:00` : hoursOnly ? text.replace(/T\d{2}/, "$&:00") : text;
  return Date.parse(time);
}
