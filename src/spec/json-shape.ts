/**
 * Reading outside JSON field by field: each reader checks the type and names the place when it is wrong. Fields that are
 * not asked for are not looked at, as the OCI image specification wants it.
 */

/** What is wrong, and where in the document, e.g. `layers[3].size`. */
export class ShapeFault extends Error {}

export type JsonObject = Readonly<Record<string, unknown>>;

/** A JSON document that must be an object. */
export function parseJsonObject(bytes: Uint8Array): JsonObject {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ShapeFault("it is not UTF-8");
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ShapeFault(`it is not JSON (${(error as Error).message})`);
  }
  return asObject(value, "the document");
}

export function asObject(value: unknown, at: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ShapeFault(`${at} is not an object`);
  return value as JsonObject;
}

export function asText(value: unknown, at: string): string {
  if (typeof value !== "string") throw new ShapeFault(`${at} is not a text`);
  if (value.includes("\0")) throw new ShapeFault(`${at} has a NUL in it`); // which no path, name or variable can have
  return value;
}

/** A whole number that is not negative. */
export function asCount(value: unknown, at: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw new ShapeFault(`${at} is not a whole number from 0`);
  return value;
}

export function asTruth(value: unknown, at: string): boolean {
  if (typeof value !== "boolean") throw new ShapeFault(`${at} is not true or false`);
  return value;
}

const entriesMax = 10_000;

function checkCount(count: number, most: number, at: string): void {
  if (count > most) throw new ShapeFault(`${at} has ${count} entries, and at most ${most} are allowed`);
}

/** A list of at most `most` entries, each read by `read`. */
export function asList<T>(value: unknown, at: string, most: number, read: (value: unknown, at: string) => T): T[] {
  if (!Array.isArray(value)) throw new ShapeFault(`${at} is not a list`);
  checkCount(value.length, most, at);
  return value.map((entry, i) => read(entry, `${at}[${i}]`));
}

export function asTextList(value: unknown, at: string): string[] {
  return asList(value, at, entriesMax, asText);
}

/** The names in a table, in which Go writes a set. */
export function asKeys(value: unknown, at: string, most: number = entriesMax): string[] {
  const keys = Object.keys(asObject(value, at));
  checkCount(keys.length, most, at);
  return keys.map((key) => asText(key, `a name in ${at}`));
}

export function asTextMap(value: unknown, at: string): Record<string, string> {
  const object = asObject(value, at);
  return Object.fromEntries(asKeys(object, at).map((key) => [key, asText(object[key], `${at}.${key}`)]));
}

/** `{key: value}` when the object has the field (null counts as absent), else nothing: for spreading. */
export function optional<K extends string, T>(
  object: JsonObject,
  field: string,
  key: K,
  read: (value: unknown, at: string) => T,
): { readonly [P in K]?: T } {
  const value = object[field];
  return value === undefined || value === null ? {} : ({ [key]: read(value, field) } as { [P in K]: T });
}
