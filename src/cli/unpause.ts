/** `orlop unpause`. */
import { command } from "./context.ts";
import { forEachContainer } from "./each.ts";

export const unpause = command({
  name: "unpause",
  summary: "Resume paused containers",
  args: "CONTAINER...",
  flags: {},
  inEngine: true,
  examples: ["orlop unpause web"],
  run: ({ args, flags: _, ...context }) =>
    forEachContainer(args, context, (name) => context.engine.containers.unpause(name)),
});
