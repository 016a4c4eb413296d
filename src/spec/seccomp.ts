/**
 * `linux.seccomp` of an OCI runtime specification (config-linux.md, "Seccomp"): its types, and the parser that refuses what
 * is wrong by the name of the field.
 */

import { OrlopError } from "../base/errors.ts";

const actions = [
  "SCMP_ACT_KILL",
  "SCMP_ACT_KILL_PROCESS",
  "SCMP_ACT_KILL_THREAD",
  "SCMP_ACT_TRAP",
  "SCMP_ACT_ERRNO",
  "SCMP_ACT_TRACE",
  "SCMP_ACT_ALLOW",
  "SCMP_ACT_LOG",
  "SCMP_ACT_NOTIFY",
] as const;

const operators = [
  "SCMP_CMP_NE",
  "SCMP_CMP_LT",
  "SCMP_CMP_LE",
  "SCMP_CMP_EQ",
  "SCMP_CMP_GE",
  "SCMP_CMP_GT",
  "SCMP_CMP_MASKED_EQ",
] as const;

const flags = [
  "SECCOMP_FILTER_FLAG_TSYNC",
  "SECCOMP_FILTER_FLAG_LOG",
  "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
  "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
] as const;

export type SeccompAction = (typeof actions)[number];
export type SeccompOperator = (typeof operators)[number];
export type SeccompFlag = (typeof flags)[number];

export interface Seccomp {
  readonly defaultAction: SeccompAction;
  /** Only with SCMP_ACT_ERRNO and SCMP_ACT_TRACE. */
  readonly defaultErrnoRet?: number;
  /** SCMP_ARCH_*. */
  readonly architectures?: readonly string[];
  readonly flags?: readonly SeccompFlag[];
  readonly syscalls?: readonly SeccompSyscall[];
}

export interface SeccompSyscall {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArg[];
}

export interface SeccompArg {
  /** 0 to 5. */
  readonly index: number;
  /** Unsigned 64-bit; a bigint where a number would not be exact. */
  readonly value: number | bigint;
  readonly valueTwo?: number | bigint;
  readonly op: SeccompOperator;
}

/** Rules, names and arguments in one profile: Docker's has about 450 names. */
const LIST_MAX = 10_000;
/** The kernel returns at most this (linux/err.h, MAX_ERRNO). */
const ERRNO_MAX = 4095;
const UINT64_MAX = 0xffff_ffff_ffff_ffffn;

/**
 * A profile from JSON text, with 64-bit numbers kept exact (JSON.parse alone would round those above 2^53).
 *
 * @throws {OrlopError} bad_value
 */
export function parseSeccompJson(text: string, path = "seccomp"): Seccomp {
  return parseSeccomp(parseExactJson(text, path), path);
}

/** JSON in which whole numbers too large for a number become a bigint. */
export function parseExactJson(text: string, path: string): unknown {
  // The third parameter is ECMAScript 2026's; TypeScript's library does not have it yet.
  const exact = (_key: string, value: unknown, context?: { readonly source?: string }): unknown =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "")
      ? BigInt(context?.source ?? 0)
      : value;
  try {
    return JSON.parse(text, exact);
  } catch (error) {
    return refuse(path, text, `JSON (${(error as Error).message})`);
  }
}

/**
 * @param path  where the value was found, for messages: "linux.seccomp"
 * @throws {OrlopError} bad_value
 */
export function parseSeccomp(value: unknown, path = "linux.seccomp"): Seccomp {
  const at = fieldsOf(value, path);
  for (const field of ["listenerPath", "listenerMetadata"])
    if (at(field).value !== undefined) throw OrlopError.of("unknown_field", { field: `${path}.${field}` });
  const defaultAction = parseAction(at("defaultAction"));
  const syscalls = optional(at("syscalls"), (found) => list(found, parseSyscall));
  return {
    defaultAction,
    ...present("defaultErrnoRet", parseErrno(at("defaultErrnoRet"), defaultAction)),
    ...present(
      "architectures",
      optional(at("architectures"), (found) => list(found, text)),
    ),
    ...present(
      "flags",
      optional(at("flags"), (found) => list(found, (entry) => choice(flags, entry))),
    ),
    ...present("syscalls", syscalls),
  };
}

/** One entry of `syscalls`. */
export function parseSyscall(found: Found): SeccompSyscall {
  const at = fieldsOf(found.value, found.path);
  const names = list(at("names"), text);
  if (names.length === 0) refuse(at("names").path, [], "at least one name");
  const action = parseAction(at("action"));
  return {
    names,
    action,
    ...present("errnoRet", parseErrno(at("errnoRet"), action)),
    ...present(
      "args",
      optional(at("args"), (args) => list(args, parseArg)),
    ),
  };
}

function parseArg(found: Found): SeccompArg {
  const at = fieldsOf(found.value, found.path);
  return {
    index: whole(at("index"), 5),
    value: uint64(at("value")),
    ...present("valueTwo", optional(at("valueTwo"), uint64)),
    op: choice(operators, at("op")),
  };
}

/** NOTIFY hands calls to another process over `listenerPath`: without one they would fail in the container, unexplained. */
function parseAction(found: Found): SeccompAction {
  const action = choice(actions, found);
  if (action === "SCMP_ACT_NOTIFY") throw OrlopError.of("unknown_field", { field: `${found.path} ${action}` });
  return action;
}

function parseErrno(found: Found, action: SeccompAction): number | undefined {
  return optional(found, (given) => {
    if (action !== "SCMP_ACT_ERRNO" && action !== "SCMP_ACT_TRACE")
      refuse(given.path, given.value, `nothing here: ${action} returns no number`);
    return whole(given, ERRNO_MAX);
  });
}

// ── values and where they were found ─────────────────────────────────────────────────────────────────────────────────

export interface Found {
  readonly value: unknown;
  readonly path: string;
}

function refuse(path: string, value: unknown, expected: string): never {
  const shown = typeof value === "string" ? value : (JSON.stringify(value, bigintText) ?? "nothing");
  throw OrlopError.of("bad_value", { what: path, value: shown.slice(0, 100), expected });
}

function bigintText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

/** The fields of an object; null counts as absent. */
export function fieldsOf(value: unknown, path: string): (name: string) => Found {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(path, value, "an object");
  const fields = new Map<string, unknown>(Object.entries(value));
  return (name) => ({ value: fields.get(name) ?? undefined, path: `${path}.${name}` });
}

export function optional<T>(found: Found, parse: (found: Found) => T): T | undefined {
  return found.value === undefined ? undefined : parse(found);
}

/** `{[name]: value}`, or nothing: an absent field stays absent. */
export function present<K extends string, V>(name: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [P in K]?: V });
}

export function list<T>({ value, path }: Found, item: (found: Found) => T): T[] {
  if (!Array.isArray(value) || value.length > LIST_MAX)
    return refuse(path, value, `a list of at most ${LIST_MAX} entries`);
  return value.map((entry: unknown, index) => item({ value: entry, path: `${path}[${index}]` }));
}

export function text({ value, path }: Found): string {
  return typeof value === "string" ? value : refuse(path, value, "a text");
}

function choice<T extends string>(choices: readonly T[], { value, path }: Found): T {
  return choices.find((known) => known === value) ?? refuse(path, value, `one of ${choices.join(", ")}`);
}

function whole({ value, path }: Found, most: number): number {
  const fits = typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most;
  return fits ? value : refuse(path, value, `a whole number from 0 to ${most}`);
}

function uint64({ value, path }: Found): number | bigint {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  if (typeof value === "bigint" && value >= 0n && value <= UINT64_MAX) return value;
  return refuse(path, value, "an unsigned 64-bit number");
}
