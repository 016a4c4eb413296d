/** `orlop system stop`. */
import { stopSupervisor } from "../client/stop-supervisor.ts";
import { connectWithBun } from "./bun-stream.ts";
import { command } from "./context.ts";

export const systemStop = command({
  name: "stop",
  summary: "End the engine and its supervisor; containers keep running",
  description: "The next orlop command starts them again, and they find every container as it is.",
  flags: {},
  examples: ["orlop system stop"],
  async run({ places, print }) {
    const stopped = await stopSupervisor(places.runDir, connectWithBun);
    await print(stopped ? "stopped" : "nothing is running");
    return 0;
  },
});
