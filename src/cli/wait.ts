/** `orlop wait`. */
import { command } from "./context.ts";

export const wait = command({
  name: "wait",
  summary: "Wait until containers exit, and print their exit codes",
  args: "CONTAINER...",
  flags: {},
  inEngine: true,
  examples: ["orlop wait web"],
  async run({ args, engine, print }) {
    const waits = await Promise.all(args.map((name) => engine.containers.wait(name, "not-running")));
    for (const { exit } of waits) await print(String((await exit()).StatusCode));
    return 0;
  },
});
