/** The command line's entry: global flags, the command, its errors as one line, its exit code. */
import { OrlopError } from "../base/errors.ts";
import type { FlagValues } from "../command/flag.ts";
import { parseFlags } from "../command/parse-flags.ts";
import { type Found, findCommand } from "../command/table.ts";
import { type Caller, NotHere } from "./caller.ts";
import { orlop } from "./commands.ts";
import type { CliContext } from "./context.ts";
import { CommandFailure, StartFailure, startExitCode } from "./exit-code.ts";
import { globalFlags } from "./global-flags.ts";
import { brokenPipeExitCode, isBrokenPipe } from "./output.ts";
import { printable } from "./printable.ts";

export type GlobalFlags = FlagValues<typeof globalFlags>;

/** What the program around the command line knows: where its parts are, and how to reach an engine. */
export interface Program {
  readonly version: string;
  /** The executor's file. */
  readonly executor: string;
  /** The engine that these flags choose. @throws {OrlopError} flags_conflict, bad_value */
  readonly engineOf: (flags: GlobalFlags) => Pick<CliContext, "engine" | "places" | "launch">;
}

/**
 * Runs one command line (without the program's name) and gives its exit code. Whoever called exits with it: what was written
 * has been flushed.
 *
 * @throws {NotHere} in the engine, before anything was done
 */
export async function runCli(argv: readonly string[], program: Program, caller: Caller): Promise<number> {
  let failure = 1;
  try {
    const { flags, args } = parseFlags(globalFlags, argv, "before-arguments", "orlop");
    if (flags.version) {
      await caller.stdout.write(`orlop ${program.version}\n`);
      return 0;
    }
    const found = await findCommand(orlop, flags.help ? ["--help"] : withHelp(args), "orlop");
    if (found.kind === "command") failure = found.command.failure;
    if (found.kind === "group" || !found.command.inEngine) caller.needOwnProcess();
    const action = found.kind === "command" ? found.command.prepare(found.rest, found.path) : undefined;
    if (action === undefined) return await showHelp(found, caller);
    const context = contextOf(flags, program, caller);
    caller.begin(failure);
    return await action(context);
  } catch (error) {
    if (error instanceof NotHere) throw error;
    return report(error, failure, caller);
  }
}

/** `orlop help run` is `orlop run --help`. */
function withHelp(args: readonly string[]): readonly string[] {
  return args[0] === "help" ? [...args.slice(1), "--help"] : args;
}

async function showHelp(found: Found<CliContext>, caller: Caller): Promise<number> {
  caller.needOwnProcess(); // the engine need not keep the texts
  const { commandHelp, groupHelp } = await import("../command/help.ts");
  if (found.kind === "command") {
    await caller.stdout.write(commandHelp(found.command, found.path));
    return 0;
  }
  const unknown = found.rest.find((word) => word !== "--help" && word !== "-h");
  if (unknown !== undefined)
    throw OrlopError.of("unknown_flag", { flag: unknown, command: found.path, nearest: undefined });
  await caller.stdout.write(await groupHelp(found.group, found.path, found.group === orlop ? globalFlags : {}));
  return 0;
}

function contextOf(flags: GlobalFlags, program: Program, caller: Caller): CliContext {
  return {
    ...caller,
    ...program.engineOf(flags),
    version: program.version,
    executor: program.executor,
    print: (line) => caller.stdout.write(`${printable(line)}\n`),
    warn: (line) => caller.stderr.write(`${printable(line)}\n`),
  };
}

/** One line that says what is wrong, and the exit code. */
async function report(error: unknown, failure: number, caller: Caller): Promise<number> {
  if (isBrokenPipe(error)) return brokenPipeExitCode;
  if (error instanceof CommandFailure) return report(error.cause, error.exitCode, caller);
  const expected =
    error instanceof OrlopError ||
    error instanceof StartFailure ||
    (error instanceof Error && error.name === "EngineError");
  // Anything else is a fault of ours: then the stack says where.
  const text = expected || !(error instanceof Error) ? messageOf(error) : (error.stack ?? error.message);
  await caller.stderr.write(`orlop: ${printable(text)}\n`);
  return error instanceof StartFailure ? startExitCode(error, failure) : failure;
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trimEnd();
}
