/** `--mount`: Docker's keys, all of them. */
import { isAbsolute, resolve } from "node:path";
import { OrlopError } from "../base/errors.ts";
import { parseSize } from "../base/size.ts";
import type { Mount } from "../client/container-types.ts";
import { parseOptions } from "./key-values.ts";

const propagations = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];
const types = ["bind", "volume", "tmpfs", "image"];
/** How a bind takes what is mounted below its source. */
const recursions: Readonly<Record<string, NonNullable<Mount["BindOptions"]>>> = {
  enabled: {},
  disabled: { NonRecursive: true },
  writable: { ReadOnlyNonRecursive: true },
  readonly: { ReadOnlyForceRecursive: true },
};

const aliases: Readonly<Record<string, string>> = {
  src: "source",
  dst: "target",
  destination: "target",
  ro: "readonly",
};
const switches = ["readonly", "volume-nocopy", "bind-nonrecursive", "bind-create-src"];
/** Those that may be given several times. */
const lists = ["volume-opt", "volume-label", "tmpfs-options"];
const knownFields = [
  "type",
  "source",
  "target",
  "readonly",
  "consistency",
  "bind-propagation",
  "bind-nonrecursive",
  "bind-recursive",
  "bind-create-src",
  "volume-subpath",
  "volume-nocopy",
  "volume-label",
  "volume-driver",
  "volume-opt",
  "image-subpath",
  "tmpfs-size",
  "tmpfs-mode",
  "tmpfs-options",
];

type Fields = ReadonlyMap<string, readonly string[]>;

/** `type=bind,source=/a,target=/b,readonly`: comma-separated, a field with commas in double quotes. @throws {OrlopError} bad_value */
export function parseMount(text: string, cwd: string): Mount {
  const fields = new Map<string, readonly string[]>();
  for (const field of splitCsv(text)) {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    const name = aliases[key] ?? key;
    if (!knownFields.includes(name)) throw bad(text, `not the field ${JSON.stringify(key)}`);
    if (equals < 0 && !switches.includes(name)) throw bad(text, `${key}=VALUE`);
    const value = equals < 0 ? "true" : field.slice(equals + 1);
    fields.set(name, lists.includes(name) ? [...(fields.get(name) ?? []), value] : [value]);
  }
  return mountOf(text, fields, cwd);
}

function mountOf(text: string, fields: Fields, cwd: string): Mount {
  const one = (name: string) => fields.get(name)?.[0];
  const type = one("type") ?? "volume";
  if (!types.includes(type)) throw bad(text, `type=${types.join(", ")}`);
  const target = one("target");
  if (target === undefined || !isAbsolute(target)) throw bad(text, "target=ABSOLUTE_PATH");
  const source = one("source");
  if ((type === "bind" || type === "image") && !source) throw bad(text, `source=… for a mount of type ${type}`);
  if (type === "tmpfs" && source !== undefined) throw bad(text, "no source for a tmpfs");
  const foreign = [...fields.keys()].find((name) =>
    types.some((other) => other !== type && name.startsWith(`${other}-`)),
  );
  if (foreign !== undefined) throw bad(text, `no ${foreign} for a mount of type ${type}`);
  const consistency = one("consistency");
  const options = {
    BindOptions: bindOptions(text, fields),
    VolumeOptions: volumeOptions(text, fields),
    TmpfsOptions: tmpfsOptions(text, fields),
    ImageOptions: one("image-subpath") === undefined ? {} : { Subpath: one("image-subpath") as string },
  };
  return {
    Type: type,
    Target: target,
    ...(source === undefined ? {} : { Source: type === "bind" ? resolve(cwd, source) : source }),
    ...(isSet(text, fields, "readonly") ? { ReadOnly: true } : {}),
    ...(consistency === undefined ? {} : { Consistency: consistency }),
    ...Object.fromEntries(Object.entries(options).filter(([, values]) => Object.keys(values).length > 0)),
  };
}

function bindOptions(text: string, fields: Fields): NonNullable<Mount["BindOptions"]> {
  const propagation = fields.get("bind-propagation")?.[0];
  if (propagation !== undefined && !propagations.includes(propagation))
    throw bad(text, `bind-propagation=${propagations.join("|")}`);
  const word = fields.get("bind-recursive")?.[0] ?? "enabled";
  const recursion = Object.hasOwn(recursions, word) ? recursions[word] : undefined;
  if (recursion === undefined) throw bad(text, `bind-recursive=${Object.keys(recursions).join("|")}`);
  const readonly = isSet(text, fields, "readonly");
  if ((word === "writable" || word === "readonly") && !readonly)
    throw bad(text, `readonly together with bind-recursive=${word}`);
  if (word === "readonly" && propagation !== "rprivate")
    throw bad(text, "bind-propagation=rprivate together with bind-recursive=readonly");
  return {
    ...recursion,
    ...(propagation === undefined ? {} : { Propagation: propagation }),
    ...(isSet(text, fields, "bind-nonrecursive") ? { NonRecursive: true } : {}),
    ...(isSet(text, fields, "bind-create-src") ? { CreateMountpoint: true } : {}),
  };
}

function volumeOptions(text: string, fields: Fields): NonNullable<Mount["VolumeOptions"]> {
  const driver = fields.get("volume-driver")?.[0];
  const options = fields.get("volume-opt");
  const labels = fields.get("volume-label");
  const subpath = fields.get("volume-subpath")?.[0];
  return {
    ...(isSet(text, fields, "volume-nocopy") ? { NoCopy: true } : {}),
    ...(subpath === undefined ? {} : { Subpath: subpath }),
    ...(labels === undefined ? {} : { Labels: parseOptions(labels, "--mount volume-label") }),
    ...(driver === undefined && options === undefined
      ? {}
      : { DriverConfig: { Name: driver ?? "", Options: parseOptions(options ?? [], "--mount volume-opt") } }),
  };
}

function tmpfsOptions(text: string, fields: Fields): NonNullable<Mount["TmpfsOptions"]> {
  const size = fields.get("tmpfs-size")?.[0];
  const mode = fields.get("tmpfs-mode")?.[0];
  const options = fields.get("tmpfs-options");
  if (mode !== undefined && !/^[0-7]{1,4}$/.test(mode)) throw bad(text, "an octal tmpfs-mode, e.g. 1777");
  return {
    ...(size === undefined ? {} : { SizeBytes: parseSize(size, "tmpfs-size") }),
    ...(mode === undefined ? {} : { Mode: Number.parseInt(mode, 8) }),
    ...(options === undefined ? {} : { Options: options.flatMap((words) => words.split(",")).map(splitOption) }),
  };
}

/** `uid=7` is two words of the API, `exec` one. */
function splitOption(option: string): string[] {
  const equals = option.indexOf("=");
  return equals < 0 ? [option] : [option.slice(0, equals), option.slice(equals + 1)];
}

function isSet(text: string, fields: Fields, name: string): boolean {
  const value = fields.get(name)?.[0];
  if (value === undefined || value === "false" || value === "0") return false;
  if (value !== "true" && value !== "1") throw bad(text, `${name} true or false`);
  return true;
}

function bad(text: string, expected: string): OrlopError {
  return OrlopError.of("bad_value", { what: "--mount", value: text, expected });
}

/** Fields between commas (RFC 4180, one record): `"a,b"` is one field, `""` in it a quote. */
function splitCsv(text: string): string[] {
  const fields = text.match(/("(?:[^"]|"")*"|[^,"]*)(?:,|$)/g) ?? [];
  if (fields.join("") !== text) throw bad(text, "double quotes around whole fields only");
  const whole =
    text.endsWith(",") || text === "" ? fields : fields.filter((field, at) => field !== "" || at < fields.length - 1);
  return whole.map((field) => {
    const bare = field.replace(/,$/, "");
    return bare.startsWith('"') ? bare.slice(1, -1).replaceAll('""', '"') : bare;
  });
}
