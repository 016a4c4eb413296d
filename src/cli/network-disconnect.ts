/** `orlop network disconnect`. */
import { command } from "./context.ts";

export const networkDisconnect = command({
  name: "disconnect",
  summary: "Take a container out of a network, even while it runs",
  args: "NETWORK CONTAINER",
  flags: { force: { type: "switch", short: "f", help: "Does nothing: nothing has to be forced" } },
  inEngine: true,
  examples: ["orlop network disconnect lan web"],
  async run({ args, flags, engine }) {
    const [network = "", container = ""] = args;
    await engine.networks.disconnect(network, container, flags.force);
    return 0;
  },
});
