/** `orlop volume inspect`. */
import { command } from "./context.ts";
import { inspectEach } from "./inspect-each.ts";

export const volumeInspect = command({
  name: "inspect",
  summary: "Show everything about volumes, as JSON",
  args: "VOLUME...",
  flags: {
    format: { type: "text", short: "f", choices: ["json"], help: "json: one line for each volume" },
  },
  inEngine: true,
  examples: ["orlop volume inspect data"],
  run: ({ args, flags, engine, print, warn }) =>
    inspectEach(args, flags.format, { print, warn }, (name) => engine.volumes.inspect(name)),
});
