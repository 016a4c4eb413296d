/** A program's commands: names to commands that are loaded when they are needed, and groups of them. */
import { OrlopError } from "../base/errors.ts";
import type { Command } from "./command.ts";
import { nearest } from "./nearest.ts";

/** Loads one command: `() => import("./run.ts").then((file) => file.run)`. */
export type Loader<Context> = () => Promise<Command<Context>>;

export interface Group<Context> {
  readonly summary: string;
  readonly commands: Table<Context>;
  /** Where to begin. */
  readonly examples?: readonly string[];
  /** Names that are no commands here and that people try, each with what to do instead. */
  readonly absent?: Readonly<Record<string, string>>;
  /** Other names of its commands, which help leaves out: the commands' own by them. */
  readonly aliases?: Readonly<Record<string, string>>;
}

export type Table<Context> = Readonly<Record<string, Loader<Context> | Group<Context>>>;

/** What the first words of a command line name. */
export type Found<Context> =
  | {
      readonly kind: "command";
      readonly command: Command<Context>;
      readonly path: string;
      readonly rest: readonly string[];
    }
  | { readonly kind: "group"; readonly group: Group<Context>; readonly path: string; readonly rest: readonly string[] };

/**
 * Finds the command that the words name; a group alone (or with `--help`) is found as the group.
 *
 * @throws {OrlopError} unknown_command, feature_missing
 */
export async function findCommand<Context>(
  group: Group<Context>,
  words: readonly string[],
  path: string,
): Promise<Found<Context>> {
  const [written, ...rest] = words;
  if (written === undefined || written.startsWith("-")) return { kind: "group", group, path, rest: words };
  const { aliases = {} } = group;
  const name = (Object.hasOwn(aliases, written) ? aliases[written] : undefined) ?? written;
  const entry = Object.hasOwn(group.commands, name) ? group.commands[name] : undefined;
  const inner = `${path} ${name}`;
  if (entry === undefined) {
    const instead = group.absent !== undefined && Object.hasOwn(group.absent, name) ? group.absent[name] : undefined;
    if (instead !== undefined) throw OrlopError.of("feature_missing", { feature: inner, instead });
    const near = nearest(name, Object.keys(group.commands));
    throw OrlopError.of("unknown_command", {
      command: inner,
      group: path,
      nearest: near === undefined ? undefined : `${path} ${near}`,
    });
  }
  if (typeof entry !== "function") return findCommand(entry, rest, inner);
  return { kind: "command", command: await entry(), path: inner, rest };
}

/** Every command below a group with its path, in the table's order: for docs and completion. */
export async function listCommands<Context>(
  group: Group<Context>,
  path: string,
): Promise<readonly { readonly path: string; readonly command: Command<Context> }[]> {
  const found: { path: string; command: Command<Context> }[] = [];
  for (const [name, entry] of Object.entries(group.commands)) {
    const inner = `${path} ${name}`;
    if (typeof entry === "function") found.push({ path: inner, command: await entry() });
    else found.push(...(await listCommands(entry, inner)));
  }
  return found;
}
