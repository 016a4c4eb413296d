/** `orlop pause`. */
import { command } from "./context.ts";
import { forEachContainer } from "./each.ts";

export const pause = command({
  name: "pause",
  summary: "Pause all processes of containers",
  args: "CONTAINER...",
  flags: {},
  inEngine: true,
  examples: ["orlop pause web"],
  run: ({ args, flags: _, ...context }) =>
    forEachContainer(args, context, (name) => context.engine.containers.pause(name)),
});
