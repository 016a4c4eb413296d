/** `orlop stop`. */
import { command } from "./context.ts";
import { forEachContainer } from "./each.ts";

export const stop = command({
  name: "stop",
  summary: "Stop containers: their stop signal, and after a while SIGKILL",
  args: "CONTAINER...",
  flags: {
    timeout: {
      type: "integer",
      short: "t",
      value: "SECONDS",
      min: -1,
      help: "Seconds until SIGKILL; -1: never (default: the container's, or 10)",
    },
    time: { type: "integer", value: "SECONDS", min: -1, hidden: true, help: "The same as --timeout" },
    signal: { type: "text", short: "s", value: "SIGNAL", help: "Signal to send instead of the container's own" },
  },
  examples: ["orlop stop web", "orlop stop -t 1 web db"],
  run: ({ args, flags, ...context }) =>
    forEachContainer(args, context, (name) =>
      context.engine.containers.stop(name, flags.timeout ?? flags.time, flags.signal),
    ),
});
