/** `orlop logs`. */
import { OrlopError } from "../base/errors.ts";
import { readOutput } from "../client/attach.ts";
import { parseCallerTime } from "./caller-time.ts";
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
    details: { type: "switch", help: "Begin each line with what the log options labels, env and tag select" },
  },
  inEngine: true,
  examples: ["orlop logs web", "orlop logs -f --tail 10 web", "orlop logs --since 5m -t web"],
  async run({ args, flags, ...context }) {
    const { engine, stdout, stderr } = context;
    const now = Date.now();
    const query = {
      stdout: true,
      stderr: true,
      follow: flags.follow,
      timestamps: flags.timestamps,
      details: flags.details,
      tail: parseTail(flags.tail),
      ...(flags.since === undefined ? {} : { since: parseCallerTime(flags.since, "--since", now, context) }),
      ...(flags.until === undefined ? {} : { until: parseCallerTime(flags.until, "--until", now, context) }),
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
