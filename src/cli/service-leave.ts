/** `orlop service leave`: the unit's ExecStop. */
import { command } from "./context.ts";

export const serviceLeave = command({
  name: "leave",
  summary: "Stop every container when the machine is being shut down, and nothing otherwise",
  description: "For systemd, which calls it whenever the service is stopped.",
  flags: {},
  examples: ["orlop service leave"],
  hidden: true,
  async run({ engine, print }) {
    const { systemState } = await import("../client/systemctl.ts");
    if ((await systemState()) !== "stopping") return 0;
    const stopped = await engine.system.shutDown();
    await print(`the machine is being shut down: ${stopped} containers were stopped`);
    return 0;
  },
});
