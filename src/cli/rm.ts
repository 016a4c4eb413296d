/** `orlop rm`. */
import { EngineError } from "../client/engine-error.ts";
import { command } from "./context.ts";
import { forEachContainer } from "./each.ts";

export const rm = command({
  name: "rm",
  summary: "Remove containers",
  args: "CONTAINER...",
  flags: {
    force: { type: "switch", short: "f", help: "Kill running ones; ignore those that do not exist" },
    volumes: { type: "switch", short: "v", help: "Remove their anonymous volumes, too" },
    link: {
      type: "switch",
      short: "l",
      help: "Remove the name that a link gives, e.g. web/db, and the link; no container",
    },
  },
  inEngine: true,
  examples: ["orlop rm web", "orlop rm --link web/db", "orlop rm -f $(orlop ps -aq)"],
  run: ({ args, flags, ...context }) =>
    forEachContainer(args, context, async (name) => {
      try {
        await context.engine.containers.remove(name, flags);
      } catch (error) {
        if (!(flags.force && error instanceof EngineError && error.status === 404)) throw error;
        await context.warn(`orlop: ${error.message}`);
        return "nothing done";
      }
    }),
});
