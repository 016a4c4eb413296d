/** `orlop network disconnect`. */
import { command } from "./context.ts";

export const networkDisconnect = command({
  name: "disconnect",
  summary: "Take a container out of a network, also while it runs",
  args: "NETWORK CONTAINER",
  flags: { force: { type: "switch", short: "f", help: "The same as without: nothing is in the way" } },
  inEngine: true,
  examples: ["orlop network disconnect lan web"],
  async run({ args, flags, engine }) {
    const [network = "", container = ""] = args;
    await engine.networks.disconnect(network, container, flags.force);
    return 0;
  },
});
