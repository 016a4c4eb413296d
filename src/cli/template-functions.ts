/** The functions of Docker's format templates: Go's own, and those that Docker's CLI adds. Pure. */
import { TemplateFault } from "./template-fault.ts";
import { Absent, fieldOf, isObject, isTrue, jsonOf, textOf } from "./template-values.ts";

type TemplateFunction = (...values: readonly unknown[]) => unknown;

/** So wide may a value be made. */
const MAX_WIDTH = 10_000;

export const templateFunctions: Readonly<Record<string, TemplateFunction>> = {
  and: (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1),
  or: (...values) => values.find(isTrue) ?? values.at(-1),
  not: (value) => !isTrue(value),
  eq: (first, ...others) => others.some((other) => plain(other) === plain(first)),
  ne: (first, other) => plain(first) !== plain(other),
  lt: (first, other) => compare(first, other) < 0,
  le: (first, other) => compare(first, other) <= 0,
  gt: (first, other) => compare(first, other) > 0,
  ge: (first, other) => compare(first, other) >= 0,
  index: (value, ...keys) => keys.reduce(memberAt, value),
  len: lengthOf,
  slice: (value, from, to) => sliceable(value).slice(numberOf(from ?? 0), to === undefined ? undefined : numberOf(to)),
  print: (...values) => values.map(textOf).join(values.every((value) => typeof value === "string") ? "" : " "),
  println: (...values) => `${values.map(textOf).join(" ")}\n`,
  printf: (format, ...values) => formatted(textOf(format), values),
  json: jsonOf,
  join: (list, separator) =>
    listOf(list)
      .map(textOf)
      .join(textOf(separator ?? "")),
  split: (text, separator) => textOf(text).split(textOf(separator)),
  lower: (text) => textOf(text).toLowerCase(),
  upper: (text) => textOf(text).toUpperCase(),
  title: (text) => textOf(text).replace(/(^|\s)\p{L}/gu, (first) => first.toUpperCase()),
  pad: (text, before, after) => padding(before) + textOf(text) + padding(after),
  truncate: (text, length) => [...textOf(text)].slice(0, numberOf(length)).join(""),
};

/** What `eq` compares: a field that was left out is as empty as Docker's. */
function plain(value: unknown): unknown {
  if (value instanceof Absent) return value.shown === "" ? "" : null;
  if (isObject(value) || Array.isArray(value)) throw new TemplateFault("lists and objects cannot be compared");
  return value ?? null;
}

function compare(first: unknown, other: unknown): number {
  if (typeof first === "number" && typeof other === "number") return first - other;
  if (typeof first === "string" && typeof other === "string") return first < other ? -1 : Number(first > other);
  throw new TemplateFault("two numbers or two strings can be compared, nothing else");
}

/** `index`: what a map does not have is empty; beyond a list's end is an error. */
function memberAt(value: unknown, key: unknown): unknown {
  if (value instanceof Absent && value.shown !== undefined && typeof key === "string") return "";
  if (Array.isArray(value)) {
    const at = numberOf(key);
    if (at < 0 || at >= value.length)
      throw new TemplateFault(`the list has ${value.length} elements, so none at index ${at}`);
    return value[at];
  }
  if (!isObject(value)) throw new TemplateFault(`index ${textOf(key)}: the value is no list and no map`);
  const name = textOf(key);
  return Object.hasOwn(value, name) ? fieldOf(value, [name], "") : "";
}

function lengthOf(value: unknown): number {
  if (value instanceof Absent && value.shown !== undefined) return 0;
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (isObject(value)) return Object.keys(value).length;
  throw new TemplateFault("len: the value has no length");
}

function sliceable(value: unknown): string | readonly unknown[] {
  if (typeof value === "string" || Array.isArray(value)) return value;
  throw new TemplateFault("slice: the value is no string and no list");
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (value instanceof Absent && value.shown !== undefined) return [];
  throw new TemplateFault("join: the value is no list");
}

function numberOf(value: unknown): number {
  if (typeof value === "number") return value;
  throw new TemplateFault(`${textOf(value)} is no number`);
}

function padding(width: unknown): string {
  return " ".repeat(Math.max(0, Math.min(numberOf(width), MAX_WIDTH)));
}

/** Go's fmt: %s %v %d %q %t %x %f, each with flags `-`, `0` and `+`, a width and a precision. */
function formatted(format: string, values: readonly unknown[]): string {
  let at = 0;
  return format.replace(/%([-+0]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g, (_, flags: string, width = "0", precision, verb) => {
    if (verb === "%") return "%";
    if (at >= values.length) return `%!${verb}(MISSING)`;
    const text = verbOf(verb as string, values[at++], precision as string | undefined, flags.includes("+"));
    const columns = Math.min(Number(width), MAX_WIDTH);
    if (flags.includes("-")) return text.padEnd(columns);
    return text.padStart(columns, flags.includes("0") && !"sqv".includes(verb as string) ? "0" : " ");
  });
}

function verbOf(verb: string, value: unknown, precision: string | undefined, isSigned: boolean): string {
  switch (verb) {
    case "s":
    case "v":
      return precision === undefined ? textOf(value) : [...textOf(value)].slice(0, Number(precision)).join("");
    case "d":
      return (isSigned && numberOf(value) >= 0 ? "+" : "") + String(Math.trunc(numberOf(value)));
    case "f":
      return numberOf(value).toFixed(Math.min(Number(precision ?? 6), 20));
    case "q":
      return JSON.stringify(textOf(value));
    case "t":
      return String(isTrue(value));
    case "x":
      return typeof value === "number" ? value.toString(16) : Buffer.from(textOf(value)).toString("hex");
    default:
      throw new TemplateFault(`printf does not know %${verb}`);
  }
}
