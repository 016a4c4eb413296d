/**
 * Docker's seccomp profile format (`--security-opt seccomp=FILE`): the OCI format, with entries that depend on capabilities,
 * architecture and kernel version. Resolving one gives an OCI profile.
 */

import { OrlopError } from "../base/errors.ts";
import {
  type Found,
  fieldsOf,
  list,
  optional,
  parseExactJson,
  parseSeccomp,
  parseSyscall,
  present,
  type Seccomp,
  type SeccompSyscall,
  text,
} from "./seccomp.ts";

/** What the conditions of a profile are about. */
export interface ProfileFacts {
  /** Names as "CAP_SYS_ADMIN": the container's bounding set. */
  readonly capabilities: ReadonlySet<string>;
  readonly machine: "x86_64" | "aarch64";
  readonly kernel: { readonly major: number; readonly minor: number };
}

/** Go's names of machines in `arches` (Docker never matches a sub-architecture there); libseccomp's in `archMap`. */
const machineNames = {
  x86_64: { goarch: "amd64", token: "SCMP_ARCH_X86_64" },
  aarch64: { goarch: "arm64", token: "SCMP_ARCH_AARCH64" },
} as const;

/**
 * The OCI profile that a file in Docker's format means here.
 *
 * @throws {OrlopError} bad_value
 */
export function parseDockerSeccomp(json: string, facts: ProfileFacts, path = "seccomp profile"): Seccomp {
  const document = parseExactJson(json, path);
  const at = fieldsOf(document, path);
  const architectures = optional(at("archMap"), (found) => mappedArchitectures(found, facts));
  const listed = at("architectures").value;
  if (architectures !== undefined && Array.isArray(listed) && listed.length > 0)
    throw OrlopError.of("bad_value", {
      what: path,
      value: "archMap and architectures",
      expected: "one of the two",
    });
  const syscalls = optional(at("syscalls"), (found) =>
    list(found, (entry) => resolveEntry(entry, facts)).filter((entry) => entry !== undefined),
  );
  const profile = parseSeccomp({ ...(document as object), syscalls: undefined }, path);
  return { ...profile, ...present("architectures", architectures), ...present("syscalls", syscalls) };
}

/** The entry for this machine, and its sub-architectures; a machine that is not in the map gets its own alone. */
function mappedArchitectures(found: Found, { machine }: ProfileFacts): string[] {
  const { token } = machineNames[machine];
  const entries = list(found, ({ value, path }) => {
    const at = fieldsOf(value, path);
    return { own: text(at("architecture")), sub: optional(at("subArchitectures"), (sub) => list(sub, text)) ?? [] };
  });
  return [token, ...(entries.find(({ own }) => own === token)?.sub ?? [])];
}

/** undefined: the entry is not for this container, machine or kernel. */
function resolveEntry(found: Found, facts: ProfileFacts): SeccompSyscall | undefined {
  const at = fieldsOf(found.value, found.path);
  const includes = optional(at("includes"), parseFilter);
  const excludes = optional(at("excludes"), parseFilter);
  const name = optional(at("name"), text); // the format of 2014 to 2016 had one name per entry
  const entry = name === undefined ? found : { ...found, value: { ...(found.value as object), names: [name] } };
  const parsed = parseSyscall(entry); // whether it applies or not: a mistake is reported on every machine
  const included = includes === undefined || applies(includes, facts, "every");
  const excluded = excludes !== undefined && applies(excludes, facts, "some");
  return included && !excluded ? parsed : undefined;
}

interface EntryFilter {
  readonly capabilities: readonly string[];
  readonly arches: readonly string[];
  readonly minKernel: { readonly major: number; readonly minor: number } | undefined;
}

function parseFilter({ value, path }: Found): EntryFilter {
  const at = fieldsOf(value, path);
  return {
    capabilities: optional(at("caps"), (found) => list(found, text)) ?? [],
    arches: optional(at("arches"), (found) => list(found, text)) ?? [],
    minKernel: optional(at("minKernel"), (found) => {
      const match = /^(\d{1,4})\.(\d{1,4})$/.exec(text(found));
      if (match !== null) return { major: Number(match[1]), minor: Number(match[2]) };
      const expected = 'a kernel version such as "4.8"';
      throw OrlopError.of("bad_value", { what: found.path, value: text(found), expected });
    }),
  };
}

/** Included: every condition that is given holds, capabilities all of them. Excluded: any one holds. */
function applies(filter: EntryFilter, facts: ProfileFacts, how: "every" | "some"): boolean {
  const capability = (name: string): boolean => facts.capabilities.has(name);
  const conditions: boolean[] = [];
  if (filter.capabilities.length > 0)
    conditions.push(how === "every" ? filter.capabilities.every(capability) : filter.capabilities.some(capability));
  if (filter.arches.length > 0) conditions.push(filter.arches.includes(machineNames[facts.machine].goarch));
  if (filter.minKernel !== undefined) conditions.push(isAtLeast(facts.kernel, filter.minKernel));
  return conditions.length > 0
    ? how === "every"
      ? conditions.every(Boolean)
      : conditions.some(Boolean)
    : how === "every";
}

function isAtLeast(kernel: ProfileFacts["kernel"], least: ProfileFacts["kernel"]): boolean {
  return kernel.major > least.major || (kernel.major === least.major && kernel.minor >= least.minor);
}
