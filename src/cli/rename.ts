/** `orlop rename`. */
import { command } from "./context.ts";

export const rename = command({
  name: "rename",
  summary: "Give a container another name",
  args: "CONTAINER NAME",
  flags: {},
  inEngine: true,
  examples: ["orlop rename web web-old"],
  async run({ args, engine }) {
    await engine.containers.rename(args[0] as string, args[1] as string);
    return 0;
  },
});
