/** `orlop exec`: a further command in a running container. */
import { OrlopError } from "../base/errors.ts";
import type { AttachedContainer } from "../client/attach.ts";
import { fromNextEngine, isLost } from "../client/lost-engine.ts";
import { type CliContext, command } from "./context.ts";
import { DetachScanner, defaultDetachKeys, parseDetachKeys } from "./detach-keys.ts";
import { environmentOf } from "./key-values.ts";
import { checkTerminal, openTerminal } from "./terminal-session.ts";

export const exec = command({
  name: "exec",
  summary: "Run a command in a running container",
  description: "The exit code is the command's; 126: it cannot be run; 127: it was not found.",
  args: "CONTAINER COMMAND [ARG...]",
  flagPlaces: "before-arguments",
  flags: {
    detach: { type: "switch", short: "d", help: "Print nothing, and leave it running" },
    interactive: { type: "switch", short: "i", help: "Pass standard input on" },
    tty: { type: "switch", short: "t", help: "Give the command a terminal" },
    env: {
      type: "list",
      short: "e",
      value: "KEY=VALUE",
      help: "Set an environment variable (KEY alone: its value here)",
    },
    envFile: { type: "list", value: "FILE", help: "Read environment variables from a file" },
    user: { type: "text", short: "u", value: "USER[:GROUP]", help: "Name or number of the user (and group) to run as" },
    workdir: { type: "text", short: "w", value: "DIR", help: "Working directory in the container" },
    privileged: { type: "switch", help: "Give the command all capabilities" },
    detachKeys: {
      type: "text",
      default: defaultDetachKeys,
      value: "KEYS",
      help: "Keys that leave the command running",
    },
  },
  inEngine: true,
  examples: ["orlop exec web ps -ef", "orlop exec -it web sh", "orlop exec -u nobody -w /tmp web env"],
  async run({ args, flags, ...context }) {
    const [container = "", ...words] = args;
    parseDetachKeys(flags.detachKeys); // before anything is made
    const attaches = !flags.detach;
    const stdin = attaches && flags.interactive;
    const size = flags.tty && attaches ? await checkTerminal(context, stdin) : undefined;
    const asked = context.engine.execs.create(container, {
      AttachStdin: stdin,
      AttachStdout: attaches,
      AttachStderr: attaches,
      Tty: flags.tty,
      Cmd: words,
      Env: environmentOf(flags, context.env, context.readFile),
      Privileged: flags.privileged,
      ...(flags.user === undefined ? {} : { User: flags.user }),
      ...(flags.workdir === undefined ? {} : { WorkingDir: flags.workdir }),
      ...(flags.tty ? { DetachKeys: flags.detachKeys } : {}),
      ...(size === undefined ? {} : { ConsoleSize: size }),
    });
    if (attaches) context.engine.openAhead(); // the start takes a connection for itself
    const { Id } = await asked;
    if (attaches) return takePart(context, Id, { stdin, tty: flags.tty, detachKeys: flags.detachKeys });
    await context.engine.execs.start(Id);
    return 0;
  },
});

export interface Part {
  readonly stdin: boolean;
  readonly tty: boolean;
  readonly detachKeys: string;
}

/** Starts it, and stays until it has ended or the user detaches. The exit code. */
export async function takePart(context: CliContext, id: string, part: Part): Promise<number> {
  const { engine } = context;
  context.keepResumable({ kind: "exec", id, ...part });
  const terminal = part.tty
    ? openTerminal(await context.terminal(), part.stdin, (rows, columns) => engine.execs.resize(id, rows, columns))
    : undefined;
  try {
    const request = engine.execs.attachRequest(id, part.tty);
    const isPassed = context.passStream?.(request, { raw: part.tty, input: part.stdin });
    terminal?.follow();
    if ((await isPassed) !== true && (await follow(context, id, part)) === "detached") return 0;
  } catch (error) {
    if (!isLost(error)) throw error; // else the next engine knows how far it is
  } finally {
    terminal?.close();
  }
  return (await exitOfExec(context, id, part)) ?? takePart(context, id, part);
}

/** Its streams through this process. They pass through no engine, so they end with the exec, whatever becomes of the engine. */
async function follow(context: CliContext, id: string, part: Part): Promise<"ended" | "detached"> {
  const attached = await context.engine.execs.attach(id, part.tty);
  const detached = part.stdin ? passInput(context, attached, part) : new Promise<never>(() => undefined);
  return Promise.race([passOutput(context, attached, part.tty), detached]);
}

/** The exit code of an exec whose stream has ended: the next engine knows it, where this one is lost. undefined: it was not started,
 *  and can be. */
export async function exitOfExec({ engine }: CliContext, id: string, part: Part): Promise<number | undefined> {
  const { Running, ExitCode } = await fromNextEngine(() => engine.execs.inspect(id));
  if (ExitCode !== null) return ExitCode;
  if (Running && part.tty) return 0; // left by the detach keys
  if (!Running && !part.stdin) return undefined; // no input that was read for it is missing
  const reason = Running ? `the command goes on as exec ${id}, its output is lost` : "the command was not started";
  throw OrlopError.of("engine_broke_off", { reason });
}

async function passOutput(context: CliContext, attached: AttachedContainer, tty: boolean): Promise<"ended"> {
  for await (const { stream, bytes } of attached.output(tty)) await context[stream].write(bytes);
  return "ended";
}

/** Standard input to the command, and its end as a half-close. Resolves only when the user detaches. */
async function passInput(
  context: CliContext,
  attached: AttachedContainer,
  { tty, detachKeys }: Part,
): Promise<"detached"> {
  const scanner = tty ? new DetachScanner(parseDetachKeys(detachKeys)) : undefined;
  try {
    for await (const bytes of context.stdin()) {
      const { pass, detach } = scanner?.scan(bytes) ?? { pass: bytes, detach: false };
      if (pass.length > 0) await attached.write(pass);
      if (!detach) continue;
      attached.close();
      return "detached";
    }
    attached.endInput();
  } catch (error) {
    if (!attached.ended) throw error; // else it has ended, and the output says so
  }
  return new Promise<never>(() => undefined);
}
