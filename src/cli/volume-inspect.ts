/** `orlop volume inspect`. */
import { command } from "./context.ts";
import { objectFormat } from "./format-flags.ts";
import { inspectEach } from "./inspect-each.ts";

export const volumeInspect = command({
  name: "inspect",
  summary: "Show everything about volumes, as JSON",
  args: "VOLUME...",
  flags: {
    format: objectFormat,
  },
  inEngine: true,
  examples: ["orlop volume inspect data"],
  run: ({ args, flags, engine, print, warn }) =>
    inspectEach(args, flags.format, { print, warn }, (name) => engine.volumes.inspect(name)),
});
