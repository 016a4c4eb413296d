/** The command line in a process of its own: it finds the engine by flags and environment, and starts it where none runs. */
import { OrlopError } from "../base/errors.ts";
import { chosenAddress, defaultPlaces, type Places, socketOf } from "../client/address.ts";
import { EngineClient } from "../client/engine-client.ts";
import type { Launch } from "../client/launch.ts";
import { connectWithBun } from "./bun-stream.ts";
import { connectAsUser } from "./connect-as-user.ts";
import { ownProcess } from "./own-process.ts";
import { type GlobalFlags, runCli } from "./run-cli.ts";

export interface Installation {
  readonly version: string;
  /** The executor's file. */
  readonly executor: string;
  /** The engine's command line for these folders. */
  readonly engineCommand: (places: Places) => readonly string[];
  readonly idleSeconds: number;
}

/** Runs this process's command line; the exit code. */
export function runOwn(argv: readonly string[], installation: Installation): Promise<number> {
  const { version, executor } = installation;
  const engineOf = (flags: GlobalFlags) => chosenEngine(flags, installation);
  return runCli(argv, { version, executor, engineOf }, ownProcess());
}

function chosenEngine(
  flags: GlobalFlags,
  { executor, engineCommand, idleSeconds }: Installation,
): { readonly engine: EngineClient; readonly places: Places; readonly launch: Launch } {
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
  const isDefault = flags.runDir === undefined && flags.root === undefined;
  const ours = !isDefault || chosen === undefined;
  const address = ours || chosen === undefined ? socketOf(places.runDir) : chosen;
  const rootsEngine = isDefault ? socketOf(defaultPlaces(process.env, 0).runDir) : undefined;
  const launch = { ...places, executor, engine: engineCommand(places), idleSeconds };
  const engine = new EngineClient({
    address,
    connect: uid === 0 || !ours ? connectWithBun : connectAsUser(connectWithBun, rootsEngine),
    ...(uid === 0 && ours ? { launch } : {}),
  });
  return { engine, places, launch };
}
