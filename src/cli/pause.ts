/** `orlop pause`. */
import { command } from "./context.ts";
import { forEachContainer } from "./each.ts";

export const pause = command({
  name: "pause",
  summary: "Make every process of containers stand still",
  args: "CONTAINER...",
  flags: {},
  inEngine: true,
  examples: ["orlop pause web"],
  run: ({ args, flags: _, ...context }) =>
    forEachContainer(args, context, (name) => context.engine.containers.pause(name)),
});
