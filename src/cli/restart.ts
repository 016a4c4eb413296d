/** `orlop restart`. */
import { command } from "./context.ts";
import { forEachContainer } from "./each.ts";
import { stopFlags } from "./stop-flags.ts";

export const restart = command({
  name: "restart",
  summary: "Stop containers, and start them again",
  args: "CONTAINER...",
  flags: stopFlags,
  inEngine: true,
  examples: ["orlop restart web", "orlop restart -t 1 web db"],
  run: ({ args, flags, ...context }) =>
    forEachContainer(args, context, (name) =>
      context.engine.containers.restart(name, flags.timeout ?? flags.time, flags.signal),
    ),
});
