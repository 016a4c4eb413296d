/** Values that no careful client sends. */

import { resolve, type Schema } from "./description.ts";

export const hostileTexts: readonly string[] = [
  "",
  " ",
  "\0",
  "../../../etc/passwd",
  "/../..",
  "-rf",
  "a\nb",
  "\u202e\ufeff\ud800",
  "__proto__",
  "constructor",
  "$(reboot)",
  "%s%n%x",
  "x".repeat(70_000),
];

const hostileNumbers: readonly number[] = [-1, -(2 ** 63), 2 ** 31, 2 ** 53, 2 ** 63, 1.5, 1e308, Number.MIN_VALUE];

/** As a query writes them. */
export const hostileParameters: readonly string[] = [
  ...hostileTexts,
  ...["-1", "1e999", "NaN", "0x10", "99999999999999999999", "true", "null", "[]", '{"a":', '{"a":{"b":null}}', '["x"]'],
  '{"label":[1]}',
  '{"__proto__":["x"]}',
  '{"name":["(a+)+$"]}',
];

const base64Of = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Of a header; what ends a line would be a header of its own. */
export const hostileHeaders: readonly string[] = [
  ...["", "null", "x", "=", "%00", "\x01", "{}", "a,b", "../..", "\xff\xfe", "x".repeat(70_000)],
  ...[null, [], "text", {}, { username: 7 }, { password: {} }, { registrytoken: "a\r\nb" }].map(base64Of),
  ...[{ username: "\0", password: "\n" }, { identitytoken: "x".repeat(4000) }, { serveraddress: "//[" }].map(base64Of),
  base64Of({ username: "a:b", password: "\u202e" }),
];

const wrongValues: readonly unknown[] = [
  null,
  true,
  "text",
  7,
  -1,
  [],
  {},
  [null],
  [[[]]],
  { a: { b: {} } },
  ...hostileNumbers,
];

/** Deeper the same kinds of value come again. */
const DEPTH_MAX = 3;

/**
 * A body with one thing wrong in it, again and again: each property, at each depth, with values of every type.
 *
 * @param base what stays as it is around the one that is wrong
 */
export function* hostileBodies(schema: Schema, base: Readonly<Record<string, unknown>>): Generator<unknown, void> {
  yield* [null, [], "text", 7, { ...base, Unheard: "of" }, { ...base, unheard: null }];
  for (const [path, type] of places(resolve(schema), [], 0)) {
    const values = type === "string" ? [...wrongValues, ...hostileTexts] : wrongValues;
    for (const value of values) yield withValue(base, path, value);
  }
}

function* places(schema: Schema, path: readonly string[], depth: number): Generator<[string[], string], void> {
  if (depth > DEPTH_MAX) return;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const inner = resolve(property);
    const here = [...path, name];
    yield [here, inner.type ?? "object"];
    if (inner.type === "array" && inner.items !== undefined) {
      const item = resolve(inner.items);
      yield [[...here, "0"], item.type ?? "object"];
      yield* places(item, [...here, "0"], depth + 1);
    } else if (typeof inner.additionalProperties === "object") {
      const item = resolve(inner.additionalProperties);
      yield [[...here, "key"], item.type ?? "object"];
      yield* places(item, [...here, "key"], depth + 1);
    } else yield* places(inner, here, depth + 1);
  }
}

/** A copy with the value at the path; "0" makes a list. */
function withValue(base: unknown, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value;
  if (name === "0") return [withValue(undefined, rest, value)];
  const object = typeof base === "object" && base !== null ? (base as Record<string, unknown>) : {};
  return { ...object, [name]: withValue(object[name], rest, value) };
}
