/** Stands in for the engine in tests of the supervisor: answers each client with its pid, and leaves when asked to. */

import { createServer } from "node:net";
import { connectSupervisor } from "../../src/kernel/executor-socket.ts";

const [runDirectory = "", mood = "idle"] = process.argv.slice(2);
const link = await connectSupervisor(runDirectory, () => {
  if (mood === "busy") link.busy();
  else process.exit(0);
});
createServer((client) => client.end(`${process.pid}\n`)).listen({ fd: 3 }, () => link.serves());
process.on("SIGTERM", () => process.exit(0));
if (mood === "stop") link.stop();
void link.closed.then(() => process.exit(0));
