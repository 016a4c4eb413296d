/** A command as a value: name, flags, arguments, examples, and what it does. Help, docs and parsing all come from it. */
import { OrlopError } from "../base/errors.ts";
import type { Flags, FlagValues } from "./flag.ts";
import { type FlagPlaces, parseFlags } from "./parse-flags.ts";

/** What a command's `run` gets: its parsed words, and what the program gives every command (`Context`). */
export type Invocation<F extends Flags, Context> = Context & {
  readonly args: readonly string[];
  readonly flags: FlagValues<F>;
};

interface Definition<F extends Flags, Context> {
  readonly name: string;
  /** One line, no full stop. */
  readonly summary: string;
  /** More, for the command's own help; paragraphs. */
  readonly description?: string;
  /** The arguments as help shows them: `NAME` is needed, `[NAME]` is not, `...` after either repeats. */
  readonly args?: string;
  readonly flags: F;
  readonly flagPlaces?: FlagPlaces;
  readonly examples: readonly string[];
  /** Works, but the list of commands leaves it out. */
  readonly hidden?: boolean;
  /** Whether a program that stays may run it for others: it needs nothing of its caller but streams, terminal and signals. */
  readonly inEngine?: boolean;
  /** Exit code when the words do not parse; 1 unless said (Docker's `run` has 125, to leave 1 to the container). */
  readonly failure?: number;
  /** The exit code; 0 when nothing is returned. */
  run(invocation: Invocation<F, Context>): Promise<number | undefined>;
}

/** A command whose flags are known only to itself: what tables, help and docs work with. */
export interface Command<Context> {
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  readonly args: string;
  readonly flags: Flags;
  readonly examples: readonly string[];
  readonly hidden: boolean;
  readonly inEngine: boolean;
  readonly failure: number;
  /** Parses the words and gives back what is to be done with them; undefined: they ask for help. Throws before anything was done. */
  prepare(words: readonly string[], path: string): ((context: Context) => Promise<number>) | undefined;
}

/** The maker of commands for one program: `const command = commandsWith<Context>()`. */
export function commandsWith<Context>() {
  return <const F extends Flags>(definition: Definition<F, Context>): Command<Context> => {
    let table: (F & typeof helpFlag) | undefined;
    return {
      name: definition.name,
      summary: definition.summary,
      description: definition.description ?? "",
      args: definition.args ?? "",
      flags: definition.flags,
      examples: definition.examples,
      hidden: definition.hidden ?? false,
      inEngine: definition.inEngine ?? false,
      failure: definition.failure ?? 1,
      prepare(words, path) {
        table ??= withHelp(definition.flags);
        const parsed = parseFlags<F & typeof helpFlag>(table, words, definition.flagPlaces ?? "anywhere", path);
        if (parsed.flags.help) return undefined;
        checkCount(parsed.args.length, definition.args ?? "", path);
        return async (context) => (await definition.run({ ...context, ...parsed })) ?? 0;
      },
    };
  };
}

const helpFlag = { help: { type: "switch", help: "Show this help", hidden: true } } as const satisfies Flags;

/** Every command has `--help`, and `-h` where that letter is free (`run -h` is the host name). */
function withHelp<F extends Flags>(flags: F): F & typeof helpFlag {
  const taken = Object.values(flags).some((flag) => flag.short === "h");
  return { ...flags, help: taken ? helpFlag.help : { ...helpFlag.help, short: "h" } };
}

/** How many arguments a usage such as "IMAGE [COMMAND] [ARG...]" allows. */
export function argumentCount(usage: string): { readonly least: number; readonly most: number } {
  const words = usage === "" ? [] : usage.split(" ");
  return {
    least: words.filter((word) => !word.startsWith("[")).length,
    most: words.some((word) => word.includes("...")) ? Number.POSITIVE_INFINITY : words.length,
  };
}

function checkCount(given: number, usage: string, path: string): void {
  const { least, most } = argumentCount(usage);
  if (given < least || given > most)
    throw OrlopError.of("wrong_arguments", { command: path, usage: usage === "" ? path : `${path} ${usage}`, given });
}
