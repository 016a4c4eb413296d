/** `orlop volume rm`. */
import { command } from "./context.ts";
import { forEachContainer } from "./each.ts";

export const volumeRm = command({
  name: "rm",
  summary: "Remove volumes, with what is in them",
  args: "VOLUME...",
  flags: {
    force: { type: "switch", short: "f", help: "Ignore those that do not exist" },
  },
  inEngine: true,
  examples: ["orlop volume rm data"],
  run: ({ args, flags, ...context }) =>
    forEachContainer(args, context, (name) => context.engine.volumes.remove(name, flags.force)),
});
