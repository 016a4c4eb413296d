/** Durations as Go programs write them: `1h30m`, `1.5s`, `300ms`. */
import { OrlopError } from "./errors.ts";

const unitMs = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/**
 * The milliseconds that a duration means; fractions stay.
 *
 * @param what  names the value in the error, e.g. "--since"
 * @throws {OrlopError} bad_value
 */
export function parseDuration(text: string, what: string): number {
  const durationMs = durationOf(text);
  if (durationMs === undefined)
    throw OrlopError.of("bad_value", {
      what,
      value: text,
      expected: "a duration with units h, m, s or ms, e.g. 1m30s",
    });
  return durationMs;
}

/** The milliseconds that a duration means, or undefined when the text is no duration. */
export function durationOf(text: string): number | undefined {
  const match = /^([+-]?)((?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+|0)$/.exec(text);
  if (match === null) return undefined;
  let totalMs = 0;
  for (const [, value, unit] of text.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g))
    totalMs += Number(value) * unitMs[unit as keyof typeof unitMs];
  return match[1] === "-" ? -totalMs : totalMs;
}

/** As Go writes one: `1m30s`, `1.5s`, `300ms`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${durationMs}ms`;
  const minutes = Math.floor(durationMs / unitMs.m);
  const seconds = `${(durationMs - minutes * unitMs.m) / 1000}s`;
  if (minutes === 0) return seconds;
  return minutes < 60 ? `${minutes}m${seconds}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}

const spans = [
  { unit: "year", seconds: 31_536_000, from: 2 },
  { unit: "month", seconds: 2_592_000, from: 2 },
  { unit: "week", seconds: 604_800, from: 2 },
  { unit: "day", seconds: 86_400, from: 2 },
  { unit: "hour", seconds: 3_600, from: 1 },
  { unit: "minute", seconds: 60, from: 1 },
  { unit: "second", seconds: 1, from: 1 },
] as const;

/** A span of time in one unit, as `ps` shows ages: `3 weeks`, `Less than a second`. In Docker's words, because programs parse them. A unit is used from `from` whole ones on. */
export function formatAge(ageMs: number): string {
  const seconds = Math.max(0, ageMs / 1000);
  for (const span of spans) {
    const count = Math.floor(seconds / span.seconds);
    if (count >= span.from) return `${count} ${span.unit}${count === 1 ? "" : "s"}`;
  }
  return "Less than a second";
}
