/** The command line's entry: global flags, the command, its errors as one line, its exit code. */
import { OrlopError } from "../base/errors.ts";
import { chosenAddress, defaultPlaces, type Places, socketOf } from "../client/address.ts";
import type { Address, ByteStream } from "../client/byte-stream.ts";
import { EngineClient } from "../client/engine-client.ts";
import { nobodyListens } from "../client/system-error.ts";
import type { FlagValues } from "../command/flag.ts";
import { parseFlags } from "../command/parse-flags.ts";
import { type Found, findCommand } from "../command/table.ts";
import { connectWithBun } from "./bun-stream.ts";
import { orlop } from "./commands.ts";
import type { CliContext } from "./context.ts";
import { StartFailure, startExitCode } from "./exit-code.ts";
import { globalFlags } from "./global-flags.ts";
import { brokenPipeExitCode, isBrokenPipe, openOutput } from "./output.ts";

/** What the program around the command line knows: where its parts are. */
export interface Program {
  readonly version: string;
  /** The executor's file. */
  readonly executor: string;
  /** The engine's command line for these folders. */
  readonly engineCommand: (places: Places) => readonly string[];
  readonly idleSeconds: number;
}

/** Runs one command line (without the program's name) and gives its exit code. The caller exits with it: what was written
 *  has been flushed. */
export async function runCli(argv: readonly string[], program: Program): Promise<number> {
  let failure = 1;
  try {
    const { flags, args } = parseFlags(globalFlags, argv, "before-arguments", "orlop");
    if (flags.version) {
      await openOutput(1).write(`orlop ${program.version}\n`);
      return 0;
    }
    const found = await findCommand(orlop, flags.help ? ["--help"] : args, "orlop");
    if (found.kind === "command") failure = found.command.failure;
    const action = found.kind === "command" ? found.command.prepare(found.rest, found.path) : undefined;
    if (action === undefined) return await showHelp(found);
    return await action(contextOf(flags, program));
  } catch (error) {
    return report(error, failure);
  }
}

async function showHelp(found: Found<CliContext>): Promise<number> {
  const { commandHelp, groupHelp } = await import("../command/help.ts");
  if (found.kind === "command") {
    await openOutput(1).write(commandHelp(found.command, found.path));
    return 0;
  }
  const unknown = found.rest.find((word) => word !== "--help" && word !== "-h");
  if (unknown !== undefined)
    throw OrlopError.of("unknown_flag", { flag: unknown, command: found.path, nearest: undefined });
  await openOutput(1).write(await groupHelp(found.group, found.path, found.group === orlop ? globalFlags : {}));
  return 0;
}

function contextOf(flags: FlagValues<typeof globalFlags>, program: Program): CliContext {
  const uid = process.getuid?.() ?? 0;
  const defaults = defaultPlaces(process.env, uid);
  const places = { runDir: flags.runDir ?? defaults.runDir, stateDir: flags.root ?? defaults.stateDir };
  const chosen = chosenAddress(flags.host, process.env);
  if (flags.host !== undefined && (flags.runDir !== undefined || flags.root !== undefined))
    throw OrlopError.of("flags_conflict", {
      first: "--host",
      second: flags.root === undefined ? "--run-dir" : "--root",
    });
  // An address that was chosen is somebody else's to start.
  const ours = flags.runDir !== undefined || flags.root !== undefined || chosen === undefined;
  const address = ours || chosen === undefined ? socketOf(places.runDir) : chosen;
  const launch = {
    ...places,
    executor: program.executor,
    engine: program.engineCommand(places),
    idleSeconds: program.idleSeconds,
  };
  const stdout = lazyOutput(1);
  const stderr = lazyOutput(2);
  return {
    engine: new EngineClient({
      address,
      connect: uid === 0 || !ours ? connectWithBun : connectAsUser,
      ...(uid === 0 && ours ? { launch } : {}),
    }),
    places,
    version: program.version,
    executor: program.executor,
    print: (line) => stdout.write(`${line}\n`),
    warn: (line) => stderr.write(`${line}\n`),
    stdout,
    stderr,
  };
}

/** Only root can start an engine yet; one that somebody runs for this user is fine. */
async function connectAsUser(address: Address): Promise<ByteStream> {
  try {
    return await connectWithBun(address);
  } catch (error) {
    if (nobodyListens(error)) throw OrlopError.of("not_root", { doing: "starting an engine" }, error);
    throw error;
  }
}

/** Opens the output when it is first written to. */
function lazyOutput(fd: 1 | 2): ReturnType<typeof openOutput> {
  let output: ReturnType<typeof openOutput> | undefined;
  return {
    write: (bytes) => {
      output ??= openOutput(fd);
      return output.write(bytes);
    },
  };
}

/** One line that says what is wrong, and the exit code. */
async function report(error: unknown, failure: number): Promise<number> {
  if (isBrokenPipe(error)) return brokenPipeExitCode;
  const expected =
    error instanceof OrlopError ||
    error instanceof StartFailure ||
    (error instanceof Error && error.name === "EngineError");
  // Anything else is a fault of ours: then the stack says where.
  const text = expected || !(error instanceof Error) ? messageOf(error) : (error.stack ?? error.message);
  await openOutput(2).write(`orlop: ${text}\n`);
  return error instanceof StartFailure ? startExitCode(error, failure) : failure;
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trimEnd();
}
