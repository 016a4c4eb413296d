/** What a flag is: its kinds of value, and the type its value has in a command's `flags`. */

interface Described {
  /** One letter, for `-x`. */
  readonly short?: string;
  /** What it does, one line, no full stop. */
  readonly help: string;
  /** The value's name in help, e.g. "SIGNAL"; by default from the type. */
  readonly value?: string;
  /** This flag and those behind it stand under a heading of their own in help, until the next one. */
  readonly heading?: string;
  /** Works, but help and docs leave it out. */
  readonly hidden?: boolean;
}

/** One flag. Its long name is its key in the command's table, with `-` before each capital: `envFile` → `--env-file`. */
export type Flag = Described &
  (
    | { readonly type: "switch"; readonly default?: boolean }
    | { readonly type: "text"; readonly default?: string; readonly choices?: readonly string[] }
    /** May be given more than once; each value is kept as written. */
    | { readonly type: "list" }
    | { readonly type: "integer"; readonly default?: number; readonly min?: number; readonly max?: number }
    /** `1m30s`; the value is in milliseconds. */
    | { readonly type: "duration"; readonly default?: number }
    /** `512m`; the value is in bytes. `-1` where allowed means "no limit". */
    | { readonly type: "size"; readonly unlimited?: boolean }
    /** Docker's CLI has it, this version does not: one clear line instead of "unknown flag". */
    | { readonly type: "later"; readonly takesValue: boolean }
  );

export type Flags = Readonly<Record<string, Flag>>;

type ValueOf<F extends Flag> = F extends { type: "switch" }
  ? boolean
  : F extends { type: "text"; choices: readonly (infer C)[]; default: string }
    ? C
    : F extends { type: "text"; default: string }
      ? string
      : F extends { type: "text"; choices: readonly (infer C)[] }
        ? C | undefined
        : F extends { type: "text" }
          ? string | undefined
          : F extends { type: "list" }
            ? readonly string[]
            : F extends { type: "integer" | "duration"; default: number }
              ? number
              : F extends { type: "integer" | "duration" | "size" }
                ? number | undefined
                : never;

/** The values of a table of flags, under the same keys. */
export type FlagValues<T extends Flags> = { readonly [K in keyof T]: ValueOf<T[K]> };

/** `cpuShares` → `cpu-shares`. */
export function longName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

const valueNames = {
  switch: "",
  text: "TEXT",
  list: "LIST",
  integer: "NUMBER",
  duration: "DURATION",
  size: "SIZE",
  later: "VALUE",
} as const satisfies Record<Flag["type"], string>;

/** The name of a flag's value in help; "" when it takes none. */
export function valueName(flag: Flag): string {
  if (flag.type === "switch" || (flag.type === "later" && !flag.takesValue)) return "";
  if (flag.type === "text" && flag.choices !== undefined) return flag.choices.join("|");
  return flag.value ?? valueNames[flag.type];
}
