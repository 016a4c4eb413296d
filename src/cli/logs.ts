/** `orlop logs`. */
import { durationOf } from "../base/duration.ts";
import { OrlopError } from "../base/errors.ts";
import { readOutput } from "../client/attach.ts";
import { command } from "./context.ts";

export const logs = command({
  name: "logs",
  summary: "Show what a container has written",
  args: "CONTAINER",
  flags: {
    follow: { type: "switch", short: "f", help: "Stay, and show what it writes from now on" },
    tail: { type: "text", short: "n", default: "all", value: "LINES", help: "Only the last lines" },
    since: {
      type: "text",
      value: "TIME",
      help: "Only from this time on: 2026-01-31T12:00:00Z, a Unix time, or 10m for ten minutes ago",
    },
    until: { type: "text", value: "TIME", help: "Only up to this time" },
    timestamps: { type: "switch", short: "t", help: "Begin each line with its time" },
    details: { type: "later", takesValue: false, help: "" },
  },
  examples: ["orlop logs web", "orlop logs -f --tail 10 web", "orlop logs --since 5m -t web"],
  async run({ args, flags, engine, stdout, stderr }) {
    const now = Date.now();
    const query = {
      stdout: true,
      stderr: true,
      follow: flags.follow,
      timestamps: flags.timestamps,
      tail: parseTail(flags.tail),
      ...(flags.since === undefined ? {} : { since: parseTime(flags.since, "--since", now) }),
      ...(flags.until === undefined ? {} : { until: parseTime(flags.until, "--until", now) }),
    };
    const name = args[0] as string;
    const { Config } = await engine.containers.inspect(name);
    const chunks = await engine.containers.logs(name, query);
    for await (const piece of readOutput(chunks, Config.Tty))
      await (piece.stream === "stderr" ? stderr : stdout).write(piece.bytes);
    return 0;
  },
});

function parseTail(text: string): string {
  if (text === "all" || /^\d{1,15}$/.test(text)) return text;
  throw OrlopError.of("bad_value", { what: "--tail", value: text, expected: 'a number of lines, or "all"' });
}

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
