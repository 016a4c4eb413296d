/** Runs a command in the engine, for a launcher: the same code as in a process of its own, with another caller. */
import type { Duplex } from "node:stream";
import { build } from "../base/build.ts";
import { log } from "../base/log.ts";
import { type Places, socketOf } from "../client/address.ts";
import { type DirectAnswer, directExchange } from "../client/direct-exchange.ts";
import { EngineClient } from "../client/engine-client.ts";
import { EngineError } from "../client/engine-error.ts";
import type { HttpRequest } from "../client/http-message.ts";
import { downKind } from "../spec/command-frame.ts";
import { NotHere } from "./caller.ts";
import { launcherCaller } from "./launcher-caller.ts";
import { CallerGone, LauncherLink } from "./launcher-link.ts";
import { runCli } from "./run-cli.ts";

/** The engine, as a command needs it. */
export interface CommandHost {
  readonly version: string;
  /** The executor's file. */
  readonly executor: string;
  readonly places: Places;
  /** The API's answer. @param signal aborted when the caller is gone */
  readonly answer: (request: HttpRequest, signal: AbortSignal) => Promise<DirectAnswer>;
}

/** Whether an error can only be a command's: the engine's own code has no client, and no caller who goes. */
export function isCommandFault(error: unknown): boolean {
  return error instanceof CallerGone || error instanceof EngineError;
}

/** Resolves when the command has ended. Whatever goes wrong in it is its caller's to know: the engine goes on. */
export async function serveCommand(client: Duplex, host: CommandHost): Promise<void> {
  const link = new LauncherLink(client);
  try {
    const exitCode = await runFor(link, host);
    if (exitCode === undefined) link.close(downKind.notHere);
    else link.close(downKind.exit, Uint8Array.of(exitCode & 0xff));
  } catch (error) {
    if (!link.left.aborted) log("error", "a command failed", error);
    client.destroy();
  }
}

/** The exit code; undefined when it wants a process of its own. */
async function runFor(link: LauncherLink, host: CommandHost): Promise<number | undefined> {
  const begin = await link.begin();
  // Another build may mean something else by the same words.
  if (begin.build !== build) return undefined;
  const { version, executor, places } = host;
  const exchange = directExchange((request) => host.answer(request, link.left));
  const engine = new EngineClient({ address: socketOf(places.runDir), exchange });
  try {
    const program = { version, executor, engineOf: () => ({ engine, places }) };
    return await runCli(begin.argv, program, launcherCaller(link, begin));
  } catch (error) {
    if (error instanceof NotHere) return undefined;
    throw error;
  }
}
