/**
 * The values that a template meets: those of the Engine API's JSON, where Docker's CLI has Go's. What differs: JSON does not say what
 * type a null has, and leaves out what is empty. Pure.
 */
import { TemplateFault } from "./template-fault.ts";

/** A field that is null or was left out. */
export class Absent {
  /** How it was asked for, e.g. ".State.Health". */
  readonly path: string;
  /** What Docker's CLI prints for it; undefined: there is no such field. */
  readonly shown: string | undefined;

  constructor(path: string, shown: string | undefined) {
    this.path = path;
    this.shown = shown;
  }

  toJSON(): null {
    return null;
  }
}

/** In Docker's types these are pointers (nil when they are left out), and maps; what else is null is a list. */
const pointers = new Set([
  "Health",
  "Healthcheck",
  "StopTimeout",
  "Init",
  "MemorySwappiness",
  "OomKillDisable",
  "PidsLimit",
]);
const maps = new Set([
  "Annotations",
  "Attributes",
  "DriverOpts",
  "ExposedPorts",
  "Labels",
  "Networks",
  "Options",
  "PortBindings",
  "Ports",
  "StorageOpt",
  "Sysctls",
  "Tmpfs",
  "Volumes",
]);
const texts = new Set(["StopSignal", "Domainname", "MacAddress", "Comment", "Variant", "User", "WorkingDir"]);

function zeroOf(name: string): string | undefined {
  if (pointers.has(name)) return "<nil>";
  if (maps.has(name)) return "map[]";
  return texts.has(name) ? "" : undefined;
}

/** `of.names[0].names[1]`… @throws {TemplateFault} of a field of what has none */
export function fieldOf(of: unknown, names: readonly string[], from: string): unknown {
  let value = of;
  let path = from;
  let parent = from.split(".").at(-1) ?? "";
  for (const name of names) {
    if (!isObject(value)) throw new TemplateFault(`${path === "" ? "the value" : path} has no fields, so no .${name}`);
    path += `.${name}`;
    value = memberOf(value, name, path, parent);
    parent = name;
  }
  return value;
}

/** As Docker's types spell it (`.ID`), or as JSON does (`.Id`). */
function memberOf(object: Readonly<Record<string, unknown>>, name: string, path: string, parent: string): unknown {
  const key = Object.hasOwn(object, name)
    ? name
    : Object.keys(object).find((one) => one.toLowerCase() === name.toLowerCase() && !maps.has(parent));
  if (key === undefined) return new Absent(path, maps.has(parent) ? "<no value>" : zeroOf(name));
  return object[key] ?? new Absent(path, zeroOf(name) ?? "[]");
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Absent);
}

/** As Go's templates have it: what is empty or zero is false. */
export function isTrue(value: unknown): boolean {
  if (value instanceof Absent) return false;
  if (Array.isArray(value)) return value.length > 0;
  if (isObject(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** As Go prints it (%v): `[a b]`, `map[a:1 b:2]`. @throws {TemplateFault} of a field that is not there */
export function textOf(value: unknown): string {
  if (value instanceof Absent) {
    if (value.shown === undefined) throw new TemplateFault(`there is no field ${value.path}`);
    return value.shown;
  }
  if (value === null || value === undefined) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(textOf).join(" ")}]`;
  if (!isObject(value)) return String(value);
  const pairs = Object.keys(value)
    .sort()
    .map((key) => `${key}:${isEmptyObject(value[key]) ? "{}" : textOf(value[key])}`);
  return `map[${pairs.join(" ")}]`;
}

/** In a map Docker has it for a set's members only: ExposedPorts, Volumes. */
function isEmptyObject(value: unknown): boolean {
  return isObject(value) && Object.keys(value).length === 0;
}

/** As Docker's CLI writes it. */
export function jsonOf(value: unknown): string {
  return JSON.stringify(value) ?? "null";
}
