/** Parsers for query parameters, with Docker's rules. */

import { OrlopError } from "../base/errors.ts";

/** Parses one parameter. `text` is undefined when it is absent; `all` has every occurrence. */
export type ParseParameter<T> = (text: string | undefined, name: string, all?: readonly string[]) => T;

/** "", "0", "no", "false" and "none" are false, anything else is true (moby httputils.BoolValue). */
export const flag: ParseParameter<boolean> = (text) =>
  !["", "0", "no", "false", "none"].includes((text ?? "").trim().toLowerCase());

export const text: ParseParameter<string | undefined> = (given) => (given === "" ? undefined : given);

/** Every occurrence. */
export const textList: ParseParameter<readonly string[]> = (_text, _name, all = []) => all.filter((one) => one !== "");

/** A whole number; undefined when not given. */
export const whole: ParseParameter<number | undefined> = (given, name) => {
  if (given === undefined || given === "") return undefined;
  if (!/^-?\d{1,9}$/.test(given))
    throw OrlopError.of("bad_value", { what: `parameter ${name}`, value: given, expected: "a whole number" });
  return Number(given);
};

/** For an unsupported parameter: only a value without effect is accepted. */
export const refused: ParseParameter<undefined> = (given, name) => {
  if (flag(given, name)) throw OrlopError.of("unknown_field", { field: `the parameter ${name}` });
  return undefined;
};

export type Filters = Readonly<Record<string, readonly string[]>>;

/** `{"status":["running"]}`, or the older `{"status":{"running":true}}`. */
export function filters(...known: readonly string[]): ParseParameter<Filters> {
  return (given) => {
    if (given === undefined || given === "") return {};
    const refuse = (expected: string): OrlopError =>
      OrlopError.of("bad_value", { what: "parameter filters", value: given.slice(0, 100), expected });
    let value: unknown;
    try {
      value = JSON.parse(given);
    } catch {
      throw refuse('JSON such as {"status":["running"]}');
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw refuse("a JSON object");
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => {
        if (!known.includes(key)) throw OrlopError.of("bad_filter", { filter: key, expected: known.join(", ") });
        const list = Array.isArray(entry) ? entry : Object.keys((entry ?? {}) as object);
        if (!list.every((item) => typeof item === "string")) throw refuse("texts in the lists");
        return [key, list];
      }),
    );
  };
}

/** "1700000000", "1700000000.5": Unix time in nanoseconds. */
export const unixTime: ParseParameter<bigint | undefined> = (given, name) => {
  if (given === undefined || given === "" || given === "0") return undefined;
  const match = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(given);
  if (match === null)
    throw OrlopError.of("bad_value", {
      what: `parameter ${name}`,
      value: given,
      expected: "Unix time, e.g. 1700000000.5",
    });
  return BigInt(match[1] ?? "0") * 1_000_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
};
