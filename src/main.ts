/** The composition root: the only file that knows all parts. `orlop engine …` is the engine, everything else the command line. */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Duplex } from "node:stream";
import { nativeBuild } from "./base/build.ts";
import { version } from "./base/version.ts";
import { formatAddress, type Places, socketOf } from "./client/address.ts";
import type { HttpRequest } from "./client/http-message.ts";

/** In a compiled program the sources lie in a file system of Bun's own. */
const isCompiled = import.meta.path.startsWith("/$bunfs/");
/** The executor lies beside the compiled program. */
const programDirectory = isCompiled ? dirname(process.execPath) : join(import.meta.dir, "../dist");
/** Descriptor of the listening socket, inherited from the supervisor. */
const LISTENING_FD = 3;
/** An engine that nobody has asked anything for so long is asked to leave. */
const IDLE_SECONDS = 60;

/** When the engine gives memory back: it costs 30 ms of processor time, and the next requests a few. */
const restOptions = {
  meter: {
    cpuMs: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    residentBytes: () => process.memoryUsage.rss(),
  },
  restMs: 10_000,
  idleCpuMs: 100,
  growthBytes: 8 << 20,
};

const executor = join(programDirectory, "orlop-executor");
/** A service's supervisor is started again by systemd, with the API's socket, which is not ours to make. */
const isService = process.env["ORLOP_SERVICE"] === "1";

/** The engine's command line for these folders. */
function engineCommand({ runDir, stateDir }: Places): readonly string[] {
  return [process.execPath, ...(isCompiled ? [] : [import.meta.path]), "engine", runDir, stateDir];
}

async function runCommandLine(argv: readonly string[]): Promise<void> {
  const { runOwn } = await import("./cli/own-program.ts");
  process.exitCode = await runOwn(argv, { version, executor, engineCommand, idleSeconds: IDLE_SECONDS });
  // Connections that are kept for a next request would hold the process.
  process.exit();
}

async function runEngine(places: Places): Promise<void> {
  const [
    { Engine },
    { ApiServer },
    { routes },
    { connectSupervisor, openExecutor },
    { NetdLink },
    { installRules },
    { log },
    { AfterWork },
    { freeMemory },
  ] = await Promise.all([
    import("./engine/engine.ts"),
    import("./api/server.ts"),
    import("./api/routes.ts"),
    import("./kernel/executor-socket.ts"),
    import("./kernel/netd-link.ts"),
    import("./kernel/nft.ts"),
    import("./base/log.ts"),
    import("./base/after-work.ts"),
    import("./platform/free-memory.ts"),
  ]);
  if (isOfOlderBuild()) {
    if (!readFileSync(executor).includes(nativeBuild)) {
      log("error", `${executor} is of another build than ${process.execPath}: put programs of one build there`);
      process.exit(1);
    }
    log("warn", "the supervisor is of another build than this engine: it is replaced");
    process.kill(process.ppid, "SIGKILL"); // containers and their monitors do without it; the next engine finds them
    if (!isService) await replaceSupervisor(places);
    process.exit(1);
  }
  let leave: (() => Promise<void>) | undefined;
  const supervisor = await connectSupervisor(places.runDir, () => {
    if (leave === undefined)
      supervisor.busy(); // still finding everything again
    else void leave();
  });
  const engine = await Engine.open({
    places,
    executor: openExecutor(places.runDir),
    netd: new NetdLink(places.runDir),
    installRules,
    watch: (pid) => supervisor.watch(pid),
  });
  const work = new AfterWork(restOptions, freeMemory);
  const server = new ApiServer(engine, routes, runCommand, () => work.note());
  let isGuarded = false;
  async function runCommand(client: Duplex): Promise<void> {
    const { isCommandFault, serveCommand } = await import("./cli/serve-command.ts");
    if (!isGuarded) {
      isGuarded = true;
      // A promise that a command forgot is no reason to end the engine; one of the engine's own is, as ever.
      process.on("unhandledRejection", (error) => {
        log("error", "a promise was rejected that nobody awaits", error);
        if (!isCommandFault(error)) process.exit(1);
      });
    }
    const answer = (request: HttpRequest, signal: AbortSignal) => server.answer(request, signal);
    await serveCommand(client, { version, executor, places, answer });
  }
  leave = async () => {
    if (!server.isIdle || !engine.isIdle) return supervisor.busy();
    server.close();
    await engine.close();
    process.exit(0);
  };
  await server.listen({ fd: LISTENING_FD });
  supervisor.serves();
  let isStopping = false;
  process.on("SIGTERM", () => {
    isStopping = true;
    server.close();
    void engine.close(true).finally(() => process.exit(0));
  });
  await supervisor.closed;
  if (isStopping) return;
  // Without a supervisor nothing can be started, none that waits for it either, and nobody notices the end of those that run.
  log("warn", "the supervisor is gone");
  const needsEngine = engine.containers.all().some(({ isRunning, restarts }) => isRunning || restarts.isWaiting);
  if (!isService && needsEngine) await replaceSupervisor(places);
  process.exit(1);
}

/**
 * After an upgrade the supervisor that still runs is the old one, and its steps may be others. The engine is started from the
 * program's path, so it is the new one. A program that runs from its sources does not know which executor it is made for.
 */
function isOfOlderBuild(): boolean {
  return nativeBuild !== "" && process.env["ORLOP_SUPERVISOR_BUILD"] !== nativeBuild;
}

/** Another supervisor, which starts another engine: that one finds everything again. */
async function replaceSupervisor(places: Places): Promise<void> {
  const [{ launchAndConnect }, { connectWithNode }] = await Promise.all([
    import("./client/launch.ts"),
    import("./client/node-stream.ts"),
  ]);
  const launch = { ...places, executor, engine: engineCommand(places), idleSeconds: IDLE_SECONDS };
  const address = socketOf(places.runDir);
  await launchAndConnect(() => connectWithNode(address), launch, formatAddress(address));
}

/** In one line, which the supervisor passes on to the clients that wait. */
async function failToStart(error: unknown): Promise<never> {
  (await import("./base/log.ts")).log("error", "the engine cannot start", error);
  process.exit(1);
}

const [command = "", runDir = "", stateDir = ""] = process.argv.slice(2);
if (command === "engine") await runEngine({ runDir, stateDir }).catch(failToStart);
else await runCommandLine(process.argv.slice(2));
