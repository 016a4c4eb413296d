/** Starts the supervisor when nobody listens on the engine's socket. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { OrlopError } from "../base/errors.ts";
import type { Places } from "./address.ts";
import type { ByteStream } from "./byte-stream.ts";
import { codeOf, nobodyListens } from "./system-error.ts";

export interface Launch extends Places {
  /** The executor program, which is the supervisor too. */
  readonly executor: string;
  /** The engine's program and arguments, which the supervisor starts when somebody connects. */
  readonly engine: readonly string[];
  /** After how long without clients and containers the engine leaves. */
  readonly idleSeconds: number;
}

/** Somebody else holds the state lock: their supervisor is (nearly) there. */
const lockedExitCode = 3;
/** How long a supervisor that another command is starting may take until it listens. */
const othersStartMs = 5000;

/**
 * Starts the supervisor, which daemonizes once its sockets listen, and connects.
 *
 * @throws {OrlopError} engine_unreachable
 */
export async function launchAndConnect(
  open: () => Promise<ByteStream>,
  launch: Launch,
  host: string,
): Promise<ByteStream> {
  const outcome = await startSupervisor(launch, host);
  if (outcome === "started") return open();
  const deadline = Date.now() + othersStartMs;
  for (;;) {
    try {
      return await open();
    } catch (error) {
      if (!nobodyListens(error) || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** native/README.md has its arguments. */
export function supervisorCommand(launch: Launch): readonly [program: string, ...words: string[]] {
  const { executor, runDir, stateDir, idleSeconds, engine } = launch;
  return [executor, "supervisor", runDir, stateDir, String(idleSeconds), ...engine];
}

async function startSupervisor(launch: Launch, host: string): Promise<"started" | "locked"> {
  const [program, ...words] = supervisorCommand(launch);
  const child = spawn(program, words, {
    cwd: "/",
    env: { ...socketGroup("/etc/group"), ...engineEnvironment() },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const { code, said } = await outcomeOf(child);
  if (code === 0) return "started";
  if (code === lockedExitCode) return "locked";
  const reason = said === "" ? `the supervisor ended with ${code}` : said.replace(/^orlop: /, "");
  throw OrlopError.of("engine_unreachable", { host, reason });
}

/** A success is known at the process's exit: the daemon that it leaves behind may hold its standard error. After a failure
 *  nobody does, and its end means that everything was read. */
function outcomeOf(child: ChildProcess): Promise<{ readonly code: number | string; readonly said: string }> {
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: codeOf(error), said: error.message }));
    child.once("exit", (code) => {
      if (code !== 0) return;
      child.stderr?.destroy();
      resolve({ code, said });
    });
    child.once("close", (code, signal) => resolve({ code: code ?? signal ?? "", said: said.trim() }));
  });
}

/** What the engine may see of our environment: BUN_* would load a stranger's code as root, and the rest is not its business. */
function engineEnvironment(): Record<string, string> {
  const kept =
    /^(PATH|HOME|LANG|TZ|DBUS_SYSTEM_BUS_ADDRESS|XDG_[A-Z_]+|ORLOP_[A-Z_]+|(HTTPS?|NO|ALL)_PROXY|(https?|no|all)_proxy)$/;
  const entries = Object.entries(process.env).filter((entry): entry is [string, string] => kept.test(entry[0]));
  return Object.fromEntries(entries);
}

/**
 * Whose group may open the API's socket besides root: the group `orlop`, where an administrator has made one. Its members are
 * root on this machine, as with Docker's, so no group is made or guessed.
 */
export function socketGroup(groupFile: string): Record<string, string> {
  const gid = groupId("orlop", groupFile);
  return gid === undefined ? {} : { ORLOP_SOCKET_GID: gid };
}

/** As the file has it, decimal; undefined where there is no such group. */
export function groupId(name: string, groupFile: string): string | undefined {
  const line = readText(groupFile)
    .split("\n")
    .find((entry) => entry.startsWith(`${name}:`));
  return line?.split(":")[2];
}

/** Not every machine has the file: a container made from nothing, say. */
function readText(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}
