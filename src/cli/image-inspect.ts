/** `orlop image inspect`. */
import { command } from "./context.ts";
import { objectFormat } from "./format-flags.ts";
import { inspectEach } from "./inspect-each.ts";

export const imageInspect = command({
  name: "inspect",
  summary: "Show everything about images, as JSON",
  args: "IMAGE...",
  flags: {
    format: objectFormat,
    platform: { type: "text", value: "OS/ARCHITECTURE", help: "Which platform of each image" },
  },
  inEngine: true,
  examples: ["orlop image inspect debian"],
  run: ({ args, flags, engine, print, warn }) =>
    inspectEach(args, flags.format, { print, warn }, (name) => engine.images.inspect(name, flags.platform)),
});
