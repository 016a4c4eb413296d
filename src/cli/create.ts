/** `orlop create`: a container that is started later. */

import { streamsOf } from "./container-config.ts";
import { containerFlags } from "./container-flags.ts";
import { command } from "./context.ts";
import { createContainer } from "./run.ts";

export const create = command({
  name: "create",
  summary: "Create a container without starting it, and print its ID",
  args: "[IMAGE] [COMMAND] [ARG...]",
  flagPlaces: "before-arguments",
  flags: containerFlags,
  inEngine: true,
  examples: ["orlop create --name box -it host bash", "orlop start -ai box"],
  async run({ args, flags, ...context }) {
    const created = await createContainer(context, flags, args, {
      streams: streamsOf(flags, false),
      attach: false,
    });
    await context.print(created.Id);
    return 0;
  },
});
