/** Words of a command line → flags and arguments, with the conventions of Docker's CLI (POSIX short clusters, GNU long names). */
import { parseDuration } from "../base/duration.ts";
import { OrlopError } from "../base/errors.ts";
import { parseSize } from "../base/size.ts";
import { type Flag, type Flags, type FlagValues, longName, valueName } from "./flag.ts";
import { nearest } from "./nearest.ts";

/** Where flags may stand: anywhere, or only before the first argument (`run IMAGE ls -l`: `-l` belongs to `ls`). */
export type FlagPlaces = "anywhere" | "before-arguments";

export interface Parsed<T extends Flags> {
  readonly flags: FlagValues<T>;
  readonly args: readonly string[];
}

type Values = Record<string, unknown>;

/**
 * Parses the words after a command's name.
 *
 * @param path    the command's name in errors, e.g. "orlop run"
 * @throws {OrlopError} unknown_flag, flag_needs_value, bad_value, unknown_field
 */
export function parseFlags<T extends Flags>(
  table: T,
  words: readonly string[],
  places: FlagPlaces,
  path: string,
): Parsed<T> {
  const values = defaultsOf(table);
  const args: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    if (word === "--") {
      args.push(...words.slice(at + 1));
      break;
    }
    if (word.length < 2 || !word.startsWith("-")) {
      if (places === "before-arguments") {
        args.push(...words.slice(at));
        break;
      }
      args.push(word);
      continue;
    }
    const next = words[at + 1];
    const took = word.startsWith("--")
      ? takeLong(table, values, word, next, path)
      : takeCluster(table, values, word, next, path);
    if (took === "next") at++;
  }
  return { flags: values as FlagValues<T>, args };
}

function defaultsOf(table: Flags): Values {
  const values: Values = {};
  for (const [key, flag] of Object.entries(table)) {
    if (flag.type === "switch") values[key] = flag.default ?? false;
    else if (flag.type === "list") values[key] = [];
    else if ("default" in flag) values[key] = flag.default;
  }
  return values;
}

const keys = new WeakMap<Flags, ReadonlyMap<string, string>>();

/** `--name` and `-n` → the flag's key in the table. Kept: `run` has over a hundred. */
function keysOf(table: Flags): ReadonlyMap<string, string> {
  const known = keys.get(table);
  if (known !== undefined) return known;
  const made = new Map<string, string>();
  for (const [key, { short }] of Object.entries(table)) {
    made.set(`--${longName(key)}`, key);
    if (short !== undefined) made.set(`-${short}`, key);
  }
  keys.set(table, made);
  return made;
}

/** Whether a flag's value was in its own word or in the next one. */
type Took = "own" | "next";

/** `--name`, `--name=value`, `--name value`. */
function takeLong(table: Flags, values: Values, word: string, next: string | undefined, path: string): Took {
  const equals = word.indexOf("=");
  const name = equals < 0 ? word : word.slice(0, equals);
  const key = keysOf(table).get(name);
  const flag = key === undefined ? undefined : table[key];
  if (key === undefined || flag === undefined) throw unknownFlag(table, name, path);
  const inline = equals < 0 ? undefined : word.slice(equals + 1);
  if (valueName(flag) === "") {
    setSwitch(values, key, flag, inline, name);
    return "own";
  }
  if (inline === undefined && next === undefined)
    throw OrlopError.of("flag_needs_value", { flag: name, value: valueName(flag) });
  setValue(values, key, flag, inline ?? (next as string), name);
  return inline === undefined ? "next" : "own";
}

/** `-it`, `-eA=b`, `-e A=b`, `-e=A=b`: switches may be joined, and the first flag with a value takes the rest. */
function takeCluster(table: Flags, values: Values, word: string, next: string | undefined, path: string): Took {
  for (let at = 1; at < word.length; at++) {
    const letter = word[at] as string;
    const name = `-${letter}`;
    const key = keysOf(table).get(name);
    const flag = key === undefined ? undefined : table[key];
    if (key === undefined || flag === undefined) throw unknownFlag(table, name, path, word);
    const rest = word.slice(at + 1);
    if (valueName(flag) === "") {
      if (rest.startsWith("=")) {
        setSwitch(values, key, flag, rest.slice(1), name);
        return "own";
      }
      setSwitch(values, key, flag, undefined, name);
      continue;
    }
    if (rest === "" && next === undefined)
      throw OrlopError.of("flag_needs_value", { flag: name, value: valueName(flag) });
    setValue(values, key, flag, rest === "" ? (next as string) : rest.replace(/^=/, ""), name);
    return rest === "" ? "next" : "own";
  }
  return "own";
}

/** The spellings Go's strconv.ParseBool takes, which is what Docker's CLI uses. */
const booleans: Readonly<Record<string, boolean>> = {
  1: true,
  t: true,
  T: true,
  true: true,
  TRUE: true,
  True: true,
  0: false,
  f: false,
  F: false,
  false: false,
  FALSE: false,
  False: false,
};

function setSwitch(values: Values, key: string, flag: Flag, text: string | undefined, name: string): void {
  const value = text === undefined ? true : booleans[text];
  if (value === undefined)
    throw OrlopError.of("bad_value", { what: name, value: text ?? "", expected: "true or false" });
  if (flag.type === "later" && value) throw OrlopError.of("unknown_field", { field: name });
  values[key] = value;
}

function setValue(values: Values, key: string, flag: Flag, text: string, name: string): void {
  switch (flag.type) {
    case "text":
      if (flag.choices !== undefined && !flag.choices.includes(text)) {
        const expected = `${flag.choices.length > 1 ? "one of " : ""}${flag.choices.join(", ")}`;
        throw OrlopError.of("bad_value", { what: name, value: text, expected });
      }
      values[key] = text;
      return;
    case "list":
      (values[key] as string[]).push(text);
      return;
    case "integer":
      values[key] = parseInteger(text, name, flag.min, flag.max);
      return;
    case "duration":
      values[key] = parseDuration(text, name);
      return;
    case "size":
      values[key] = flag.unlimited && text === "-1" ? -1 : parseSize(text, name);
      return;
    case "later":
      throw OrlopError.of("unknown_field", { field: name });
    case "switch":
      setSwitch(values, key, flag, text, name);
  }
}

function parseInteger(
  text: string,
  what: string,
  min = Number.MIN_SAFE_INTEGER,
  max = Number.MAX_SAFE_INTEGER,
): number {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  const bounds =
    min === Number.MIN_SAFE_INTEGER
      ? ""
      : max === Number.MAX_SAFE_INTEGER
        ? ` of at least ${min}`
        : ` from ${min} to ${max}`;
  throw OrlopError.of("bad_value", { what, value: text, expected: `a whole number${bounds}` });
}

function unknownFlag(table: Flags, name: string, path: string, cluster?: string): OrlopError {
  const known = Object.entries(table).filter(([, flag]) => !flag.hidden && flag.type !== "later");
  // `-name` is a common slip for `--name`.
  const slip = cluster === undefined ? undefined : known.find(([key]) => `-${longName(key)}` === cluster.split("=")[0]);
  const near =
    slip === undefined
      ? nearest(
          name,
          known.map(([key]) => `--${longName(key)}`),
        )
      : `--${longName(slip[0])}`;
  const flag = cluster === undefined || cluster === name ? name : `${name} (in ${cluster})`;
  return OrlopError.of("unknown_flag", { flag, command: path, nearest: near });
}
