/** `orlop events`. */

import { parseCallerTime } from "./caller-time.ts";
import { command } from "./context.ts";
import { formatTemplate } from "./format-flags.ts";
import { parseFilters } from "./key-filters.ts";
import { printableLine } from "./printable.ts";

export const events = command({
  name: "events",
  summary: "Show what happens in the engine, as it happens",
  flags: {
    since: {
      type: "text",
      value: "TIME",
      help: "Begin with events kept since this time: 2026-01-31T12:00:00Z, a Unix time, or 10m for ten minutes ago",
    },
    until: { type: "text", value: "TIME", help: "Stop there" },
    filter: {
      type: "list",
      short: "f",
      value: "KEY=VALUE",
      help: "Only those that match, e.g. container=web, type=image, event=die, label=a=b",
    },
    format: {
      type: "text",
      value: "FORMAT",
      help: "json (one event per line, as the engine sends it), or a Go template",
    },
  },
  inEngine: true,
  examples: ["orlop events", "orlop events --since 1h --until 0s", "orlop events -f event=die --format json"],
  async run({ flags, ...context }) {
    const { engine, print } = context;
    const now = Date.now();
    const shown = shower(flags.format);
    const lines = await engine.system.events({
      ...(flags.since === undefined ? {} : { since: parseCallerTime(flags.since, "--since", now, context) }),
      ...(flags.until === undefined ? {} : { until: parseCallerTime(flags.until, "--until", now, context) }),
      ...(flags.filter.length === 0 ? {} : { filters: parseFilters(flags.filter) }),
    });
    for await (const line of lines) await print(shown(line));
    return 0;
  },
});

/** What is printed of an event's line. */
function shower(format: string | undefined): (line: string) => string {
  if (format === undefined) return (line) => printableLine(formatEvent(line));
  if (format === "json") return (line) => line;
  const template = formatTemplate(format, "-f");
  return (line) => template(JSON.parse(line));
}

interface Event {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> | null };
}

/** As Docker's CLI prints it: "TIME TYPE ACTION ID (KEY=VALUE, …)". */
export function formatEvent(line: string): string {
  const { Type, Action, Actor } = JSON.parse(line) as Event;
  const pairs = Object.entries(Actor.Attributes ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort();
  return `${timeOf(line)} ${Type} ${Action} ${Actor.ID}${pairs.length === 0 ? "" : ` (${pairs.join(", ")})`}`;
}

/** In UTC. From the text: as a number the nanoseconds would be rounded. */
function timeOf(line: string): string {
  const ns = BigInt(/"timeNano":(\d+)\}$/.exec(line)?.[1] ?? "0");
  const seconds = new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(ns % 1_000_000_000n).padStart(9, "0")}Z`;
}
