/** `orlop network rm`. */
import { EngineError } from "../client/engine-error.ts";
import { command } from "./context.ts";
import { forEachContainer } from "./each.ts";

export const networkRm = command({
  name: "rm",
  summary: "Remove networks",
  args: "NETWORK...",
  flags: { force: { type: "switch", short: "f", help: "Ignore those that do not exist" } },
  inEngine: true,
  examples: ["orlop network rm lan"],
  run: ({ args, flags, ...context }) =>
    forEachContainer(args, context, (name) =>
      context.engine.networks.remove(name).catch((error: unknown) => {
        if (!(flags.force && error instanceof EngineError && error.status === 404)) throw error;
      }),
    ),
});
