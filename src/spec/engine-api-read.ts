/**
 * Readers of Engine API bodies: each checks one value and names its place when it is wrong. A null counts as absent, as Go's
 * decoder has it. A field that Orlop does not carry out is read with `refused`: nothing is ignored in silence.
 */

import { OrlopError } from "../base/errors.ts";

/** Gives the value found at `path` (e.g. "HostConfig.Memory"), or throws what is wrong with it. */
export type Read<T> = (value: unknown, path: string) => T;

/** Lists and tables are bounded, so that a body of a few MiB cannot become a plan of millions of steps. */
const ENTRIES_MAX = 10_000;

export function wrong(path: string, value: unknown, expected: string): OrlopError {
  const shown = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  return OrlopError.of("bad_value", { what: path, value: shown.slice(0, 100), expected });
}

export const text: Read<string> = (value, path) => {
  if (typeof value !== "string" || value.includes("\0")) throw wrong(path, value, "a text without NUL");
  return value;
};

export const truth: Read<boolean> = (value, path) => {
  if (typeof value !== "boolean") throw wrong(path, value, "true or false");
  return value;
};

export function whole(least: number, most: number = Number.MAX_SAFE_INTEGER): Read<number> {
  return (value, path) => {
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least || value > most)
      throw wrong(path, value, `a whole number from ${least} to ${most}`);
    return value;
  };
}

export function oneOf<const T extends string>(...choices: readonly T[]): Read<T> {
  return (value, path) => {
    const choice = choices.find((one) => one === value);
    if (choice === undefined) throw wrong(path, value, `one of ${choices.map((one) => one || '""').join(", ")}`);
    return choice;
  };
}

export function list<T>(item: Read<T>): Read<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length > ENTRIES_MAX)
      throw wrong(path, value, `a list of at most ${ENTRIES_MAX} entries`);
    return value.map((entry, index) => item(entry, `${path}[${index}]`));
  };
}

export const texts: Read<readonly string[]> = list(text);

/** Docker takes a single text where a command's words are expected. */
export const words: Read<readonly string[]> = (value, path) =>
  typeof value === "string" ? [text(value, path)] : texts(value, path);

export function table<T>(item: Read<T>): Read<Readonly<Record<string, T>>> {
  return (value, path) => {
    const entries = Object.entries(asRecord(value, path));
    if (entries.length > ENTRIES_MAX) throw wrong(path, value, `a table of at most ${ENTRIES_MAX} entries`);
    return Object.fromEntries(entries.map(([key, entry]) => [text(key, path), item(entry, `${path}.${key}`)]));
  };
}

/** What a field of this type is when it is absent. */
export interface Field<T> {
  readonly read: Read<T>;
  readonly absent: T;
}

export function field<T>(read: Read<T>, absent: T): Field<T> {
  return { read, absent };
}

/** A field that is not carried out: only what clients send when nobody asked for anything is accepted. */
export const refused: Field<undefined> = {
  absent: undefined,
  read: (value, path) => {
    if (!saysNothing(value)) throw OrlopError.of("unknown_field", { field: path });
    return undefined;
  },
};

/** null, "", 0, false, and lists and tables without entries: the key of an entry alone may ask for something (Volumes). */
function saysNothing(value: unknown): boolean {
  if (value === null || value === undefined || value === "" || value === 0 || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

type Fields = Readonly<Record<string, Field<unknown>>>;
type Values<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** An object with these fields; any other that says something is refused by name. */
export function shape<const F extends Fields>(fields: F): Read<Values<F>> {
  const names = Object.keys(fields);
  return (value, path) => {
    const given = asRecord(value, path);
    const prefix = path === "" ? "" : `${path}.`;
    for (const key of Object.keys(given)) if (!Object.hasOwn(fields, key)) refused.read(given[key], prefix + key);
    const values: Record<string, unknown> = {};
    for (const name of names) {
      const found = Object.hasOwn(given, name) ? given[name] : undefined;
      const { read, absent } = fields[name] as Field<unknown>;
      values[name] = found === null || found === undefined ? absent : read(found, prefix + name);
    }
    return values as Values<F>;
  };
}

function asRecord(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrong(path === "" ? "request body" : path, value, "an object");
  return value as Readonly<Record<string, unknown>>;
}
