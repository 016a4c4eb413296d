/**
 * The door for an OCI config.json: checks every field's type and refuses by name what Orlop does not carry out. (The
 * specification asks runtimes to ignore fields they do not know; a limit or a protection that is silently missing is worse.)
 */

import { OrlopError } from "../base/errors.ts";
import type {
  BlockIo,
  CapabilitySets,
  CpuLimits,
  Device,
  DeviceRule,
  IdMapping,
  Linux,
  MemoryLimits,
  Mount,
  Namespace,
  NamespaceType,
  Process,
  Resources,
  Rlimit,
  Root,
  RuntimeSpec,
  User,
} from "./runtime-spec.ts";
import { parseSeccomp } from "./seccomp.ts";

/** Throws when `value`, found at `path`, is not what it should be. */
type Check = (value: unknown, path: string) => void;

function refuse(path: string, value: unknown, expected: string): never {
  const shown = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  throw OrlopError.of("bad_value", { what: path, value: shown.slice(0, 100), expected });
}

const text: Check = (value, path) => {
  if (typeof value !== "string" || value.includes("\0")) refuse(path, value, "a text without NUL");
};
const truth: Check = (value, path) => {
  if (typeof value !== "boolean") refuse(path, value, "true or false");
};
const whole =
  (least: number, most: number): Check =>
  (value, path) => {
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most)
      refuse(path, value, `a whole number from ${least} to ${most}`);
  };
const oneOf =
  (...choices: readonly string[]): Check =>
  (value, path) => {
    if (typeof value !== "string" || !choices.includes(value)) refuse(path, value, `one of ${choices.join(", ")}`);
  };
/** Bounded, so that a document of a few MiB cannot become a plan of millions of steps. */
const LIST_MAX = 10_000;
const list =
  (item: Check): Check =>
  (value, path) => {
    if (!Array.isArray(value) || value.length > LIST_MAX) refuse(path, value, `a list of at most ${LIST_MAX} entries`);
    value.forEach((entry, index) => {
      item(entry, `${path}[${index}]`);
    });
  };
const texts: Check = list(text);
const textMap: Check = (value, path) => {
  if (!isObject(value)) refuse(path, value, "an object of texts");
  for (const [key, entry] of Object.entries(value)) text(entry, `${path}.${key}`);
};

/** An object with these fields and no others; those in `required` must be there. A null counts as absent. */
function fields<T>(
  shape: { readonly [K in keyof Required<T>]: Check },
  ...required: readonly (keyof T & string)[]
): Check {
  const checks = new Map<string, Check>(Object.entries(shape));
  return (value, path) => {
    if (!isObject(value)) refuse(path || "the document", value, "an object");
    const prefix = path === "" ? "" : `${path}.`;
    for (const [key, entry] of Object.entries(value)) {
      if (entry === null || entry === undefined) continue;
      const check = checks.get(key);
      if (check === undefined) throw OrlopError.of("unknown_field", { field: `${prefix}${key}` });
      check(entry, `${prefix}${key}`);
    }
    for (const key of required)
      if (value[key] === null || value[key] === undefined) refuse(`${prefix}${key}`, "", "a value: it is required");
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const ID_MAX = 2 ** 32 - 2;
const id = whole(0, ID_MAX);
const bytes = whole(-1, Number.MAX_SAFE_INTEGER);
/** Device numbers: 12 bits of major, 20 of minor; -1 is every one (in rules). */
const deviceNumber = whole(-1, 2 ** 20 - 1);
const namespaceTypes = ["mount", "pid", "network", "ipc", "uts", "user", "cgroup", "time"] satisfies NamespaceType[];
const propagations = ["private", "slave", "shared", "unbindable", "rprivate", "rslave", "rshared"];

const user = fields<User>({ uid: id, gid: id, umask: whole(0, 0o777), additionalGids: list(id) }, "uid", "gid");
const capabilities = fields<CapabilitySets>({
  bounding: texts,
  effective: texts,
  permitted: texts,
  inheritable: texts,
  ambient: texts,
});
// 2^64 is what JSON's doubles make of 2^64-1.
const limit = whole(-1, 2 ** 64);
const rlimit = fields<Rlimit>({ type: text, soft: limit, hard: limit }, "type", "soft", "hard");
const consoleSize = fields<{ height: number; width: number }>(
  { height: whole(0, 65_535), width: whole(0, 65_535) },
  "height",
  "width",
);

const processFields = fields<Process>(
  {
    terminal: truth,
    consoleSize,
    user,
    args: texts,
    env: texts,
    cwd: text,
    capabilities,
    rlimits: list(rlimit),
    noNewPrivileges: truth,
    oomScoreAdj: whole(-1000, 1000),
  },
  "user",
  "args",
  "cwd",
);

const mount = fields<Mount>({ destination: text, type: text, source: text, options: texts }, "destination");
const namespace = fields<Namespace>({ type: oneOf(...namespaceTypes), path: text }, "type");
const idMapping = fields<IdMapping>(
  { containerID: id, hostID: id, size: whole(1, 2 ** 32 - 1) },
  "containerID",
  "hostID",
  "size",
);
const device = fields<Device>(
  {
    type: oneOf("c", "b", "u", "p"),
    path: text,
    major: deviceNumber,
    minor: deviceNumber,
    fileMode: whole(0, 0o7777),
    uid: id,
    gid: id,
  },
  "type",
  "path",
);
const deviceRule = fields<DeviceRule>(
  { allow: truth, type: oneOf("a", "b", "c"), major: deviceNumber, minor: deviceNumber, access: text },
  "allow",
);
const memory = fields<MemoryLimits>({
  limit: bytes,
  reservation: bytes,
  swap: bytes,
  swappiness: whole(0, 100),
  disableOOMKiller: truth,
});
const cpu = fields<CpuLimits>({
  shares: whole(0, 262_144),
  quota: whole(-1, Number.MAX_SAFE_INTEGER),
  period: whole(0, 1_000_000),
  cpus: text,
  mems: text,
});
const deviceNumbers = { major: whole(0, 2 ** 32 - 1), minor: whole(0, 2 ** 32 - 1) };
const deviceRates = list(
  fields({ ...deviceNumbers, rate: whole(0, Number.MAX_SAFE_INTEGER) }, "major", "minor", "rate"),
);
const resources = fields<Resources>({
  devices: list(deviceRule),
  memory,
  cpu,
  pids: fields<{ limit: number }>({ limit: whole(-1, Number.MAX_SAFE_INTEGER) }, "limit"),
  blockIO: fields<BlockIo>({
    weight: whole(10, 1000),
    weightDevice: list(fields({ ...deviceNumbers, weight: whole(10, 1000) }, "major", "minor", "weight")),
    throttleReadBpsDevice: deviceRates,
    throttleWriteBpsDevice: deviceRates,
    throttleReadIOPSDevice: deviceRates,
    throttleWriteIOPSDevice: deviceRates,
  }),
});
const seccomp: Check = (value, path) => {
  parseSeccomp(value, path);
};
const linux = fields<Linux>({
  namespaces: list(namespace),
  uidMappings: list(idMapping),
  gidMappings: list(idMapping),
  devices: list(device),
  cgroupsPath: text,
  resources,
  sysctl: textMap,
  seccomp,
  maskedPaths: texts,
  readonlyPaths: texts,
  rootfsPropagation: oneOf(...propagations),
});

const document = fields<RuntimeSpec>(
  {
    ociVersion: text,
    process: processFields,
    root: fields<Root>({ path: text, readonly: truth }, "path"),
    hostname: text,
    domainname: text,
    mounts: list(mount),
    annotations: textMap,
    linux,
  },
  "ociVersion",
  "process",
);

/**
 * A config.json's value as a specification.
 *
 * @throws {OrlopError} unknown_field, bad_value: both name the field, e.g. "linux.resources.blockIO"
 */
export function parseRuntimeSpec(value: unknown): RuntimeSpec {
  document(value, "");
  const spec = value as RuntimeSpec;
  if (!/^1\.\d+\.\d+/.test(spec.ociVersion)) refuse("ociVersion", spec.ociVersion, "version 1 of the specification");
  if (spec.process.args.length === 0) refuse("process.args", "[]", "at least the program's name");
  if (!spec.process.cwd.startsWith("/")) refuse("process.cwd", spec.process.cwd, "an absolute path");
  spec.process.env?.forEach((entry, index) => {
    if (!/^[^=]+=/.test(entry)) refuse(`process.env[${index}]`, entry, "NAME=VALUE");
  });
  return withoutNulls(spec) as RuntimeSpec;
}

/** Optional fields that were written as null are left out, so that later code sees one kind of absent. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(([, entry]) => entry !== null && entry !== undefined);
  return Object.fromEntries(kept.map(([key, entry]) => [key, withoutNulls(entry)]));
}
