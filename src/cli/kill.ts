/** `orlop kill`. */
import { command } from "./context.ts";
import { forEachContainer } from "./each.ts";

export const kill = command({
  name: "kill",
  summary: "Send a signal to the first process of containers",
  args: "CONTAINER...",
  flags: {
    signal: { type: "text", short: "s", default: "SIGKILL", value: "SIGNAL", help: "Signal, by name or number" },
  },
  inEngine: true,
  examples: ["orlop kill web", "orlop kill -s HUP web"],
  run: ({ args, flags, ...context }) =>
    forEachContainer(args, context, (name) => context.engine.containers.kill(name, flags.signal)),
});
