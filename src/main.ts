/** The composition root: the only file that knows all parts. `orlop engine …` is the engine, everything else the command line. */

import { dirname, join } from "node:path";
import { version } from "./base/version.ts";
import type { Places } from "./client/address.ts";

/** In a compiled program the sources lie in a file system of Bun's own. */
const isCompiled = import.meta.path.startsWith("/$bunfs/");
/** The executor lies beside the compiled program. */
const programDirectory = isCompiled ? dirname(process.execPath) : join(import.meta.dir, "../dist");
/** Descriptor of the listening socket, inherited from the supervisor. */
const LISTENING_FD = 3;
/** An engine that nobody has asked anything for so long is asked to leave. */
const IDLE_SECONDS = 60;

async function runCommandLine(argv: readonly string[]): Promise<void> {
  const { runCli } = await import("./cli/run-cli.ts");
  const self = isCompiled ? [process.execPath] : [process.execPath, import.meta.path];
  process.exitCode = await runCli(argv, {
    version,
    executor: join(programDirectory, "orlop-executor"),
    engineCommand: ({ runDir, stateDir }) => [...self, "engine", runDir, stateDir],
    idleSeconds: IDLE_SECONDS,
  });
  // Connections that are kept for a next request would hold the process.
  process.exit();
}

async function runEngine(places: Places): Promise<void> {
  const [{ Engine }, { ApiServer }, { routes }, { connectSupervisor, openExecutor }, { log }] = await Promise.all([
    import("./engine/engine.ts"),
    import("./api/server.ts"),
    import("./api/routes.ts"),
    import("./kernel/executor-socket.ts"),
    import("./base/log.ts"),
  ]);
  const leave = async (): Promise<void> => {
    if (!server.isIdle || !engine.isIdle) return supervisor.busy();
    server.close();
    await engine.close();
    process.exit(0);
  };
  const supervisor = await connectSupervisor(places.runDir, () => void leave());
  const engine = await Engine.open({
    places,
    executor: openExecutor(places.runDir),
    watch: (pid) => supervisor.watch(pid),
  });
  const server = new ApiServer(engine, routes);
  await server.listen({ fd: LISTENING_FD });
  // Without its supervisor an engine can start nothing; the next command starts both anew.
  supervisor.closed.then(() => {
    log("warn", "the supervisor is gone: leaving");
    process.exit(1);
  });
}

const [command = "", runDir = "", stateDir = ""] = process.argv.slice(2);
if (command === "engine") await runEngine({ runDir, stateDir });
else await runCommandLine(process.argv.slice(2));
