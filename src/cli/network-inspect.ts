/** `orlop network inspect`. */
import { command } from "./context.ts";
import { objectFormat } from "./format-flags.ts";
import { inspectEach } from "./inspect-each.ts";

export const networkInspect = command({
  name: "inspect",
  summary: "Show everything about networks, as JSON",
  args: "NETWORK...",
  flags: {
    format: objectFormat,
    verbose: { type: "switch", short: "v", help: "Does nothing: there is nothing more to show" },
  },
  inEngine: true,
  examples: ["orlop network inspect bridge"],
  run: ({ args, flags, engine, print, warn }) =>
    inspectEach(args, flags.format, { print, warn }, (name) => engine.networks.inspect(name, flags.verbose)),
});
