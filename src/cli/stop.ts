/** `orlop stop`. */
import { command } from "./context.ts";
import { forEachContainer } from "./each.ts";
import { stopFlags } from "./stop-flags.ts";

export const stop = command({
  name: "stop",
  summary: "Stop containers: send their stop signal, and SIGKILL after a while",
  args: "CONTAINER...",
  flags: stopFlags,
  inEngine: true,
  examples: ["orlop stop web", "orlop stop -t 1 web db"],
  run: ({ args, flags, ...context }) =>
    forEachContainer(args, context, (name) =>
      context.engine.containers.stop(name, flags.timeout ?? flags.time, flags.signal),
    ),
});
