/** `--volume`, `--mount`, `--tmpfs` and `--device` in Docker's notations. */
import { isAbsolute, resolve } from "node:path";
import { OrlopError } from "../base/errors.ts";
import { parseSize } from "../base/size.ts";
import type { HostConfig, Mount } from "../client/container-types.ts";

export interface Volumes {
  readonly binds: readonly string[];
  /** Targets of volumes without a name. */
  readonly anonymous: Readonly<Record<string, Record<string, never>>>;
}

/** `SOURCE:TARGET[:OPTIONS]`, or `TARGET` alone. A source that begins with `.` or `~` is a path: it is made absolute here,
 *  as the engine has another current directory. */
export function parseVolumes(texts: readonly string[], cwd: string, home: string): Volumes {
  const binds: string[] = [];
  const anonymous: Record<string, Record<string, never>> = {};
  for (const text of texts) {
    const parts = text.split(":");
    const target = parts.length === 1 ? text : (parts[1] ?? "");
    if (parts.length > 3 || parts.some((part) => part === "") || !isAbsolute(target))
      throw OrlopError.of("bad_value", {
        what: "--volume",
        value: text,
        expected: "SOURCE:TARGET[:OPTIONS] with an absolute path as the target",
      });
    if (parts.length === 1) anonymous[target] = {};
    else binds.push([hostPath(parts[0] as string, cwd, home), ...parts.slice(1)].join(":"));
  }
  return { binds, anonymous };
}

/** A name stays a name (a volume's); a path is made absolute. */
function hostPath(source: string, cwd: string, home: string): string {
  if (source === "~" || source.startsWith("~/")) return resolve(home, source.slice(2));
  return source.startsWith(".") ? resolve(cwd, source) : source;
}

/** `/run`, `/run:size=64m,mode=1777`. */
export function parseTmpfs(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const colon = text.indexOf(":");
      const target = colon < 0 ? text : text.slice(0, colon);
      if (!isAbsolute(target))
        throw OrlopError.of("bad_value", {
          what: "--tmpfs",
          value: text,
          expected: "TARGET[:OPTIONS] with an absolute path",
        });
      return [target, colon < 0 ? "" : text.slice(colon + 1)];
    }),
  );
}

const propagations = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];

/** `type=bind,source=/a,target=/b,readonly`: comma-separated, a field with commas in double quotes. */
export function parseMount(text: string, cwd: string): Mount {
  const fields = new Map<string, string>();
  for (const field of splitCsv(text)) {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    const name = aliases[key] ?? key;
    if (!knownFields.includes(name)) throw bad(text, `not the field ${JSON.stringify(key)}`);
    if (equals < 0 && !switches.includes(name)) throw bad(text, `${key}=VALUE`);
    fields.set(name, equals < 0 ? "true" : field.slice(equals + 1));
  }
  return mountOf(text, fields, cwd);
}

const aliases: Readonly<Record<string, string>> = {
  src: "source",
  dst: "target",
  destination: "target",
  ro: "readonly",
};
const switches = ["readonly", "volume-nocopy", "bind-nonrecursive"];
const knownFields = [
  "type",
  "source",
  "target",
  "readonly",
  "bind-propagation",
  "bind-nonrecursive",
  "volume-nocopy",
  "tmpfs-size",
  "tmpfs-mode",
];

function mountOf(text: string, fields: ReadonlyMap<string, string>, cwd: string): Mount {
  const type = fields.get("type") ?? "volume";
  if (!["bind", "volume", "tmpfs"].includes(type)) throw bad(text, "type=bind, volume or tmpfs");
  const target = fields.get("target");
  if (target === undefined || !isAbsolute(target)) throw bad(text, "target=ABSOLUTE_PATH");
  const source = fields.get("source");
  if (type === "bind" && !source) throw bad(text, "source=PATH for a bind");
  if (type === "tmpfs" && source !== undefined) throw bad(text, "no source for a tmpfs");
  const foreign = [...fields.keys()].find((name) => /^(bind|volume|tmpfs)-/.test(name) && !name.startsWith(`${type}-`));
  if (foreign !== undefined) throw bad(text, `no ${foreign} for a ${type}`);
  const propagation = fields.get("bind-propagation");
  if (propagation !== undefined && !propagations.includes(propagation))
    throw bad(text, `bind-propagation=${propagations.join("|")}`);
  const size = fields.get("tmpfs-size");
  const mode = fields.get("tmpfs-mode");
  if (mode !== undefined && !/^[0-7]{1,4}$/.test(mode)) throw bad(text, "an octal tmpfs-mode, e.g. 1777");
  return {
    Type: type,
    Target: target,
    ...(source === undefined ? {} : { Source: type === "bind" ? resolve(cwd, source) : source }),
    ...(isSet(text, fields, "readonly") ? { ReadOnly: true } : {}),
    ...bindOptions(propagation, isSet(text, fields, "bind-nonrecursive")),
    ...(isSet(text, fields, "volume-nocopy") ? { VolumeOptions: { NoCopy: true } } : {}),
    ...(size === undefined && mode === undefined
      ? {}
      : {
          TmpfsOptions: {
            ...(size === undefined ? {} : { SizeBytes: parseSize(size, "tmpfs-size") }),
            ...(mode === undefined ? {} : { Mode: Number.parseInt(mode, 8) }),
          },
        }),
  };
}

function bindOptions(propagation: string | undefined, nonRecursive: boolean): Pick<Mount, "BindOptions"> {
  if (propagation === undefined && !nonRecursive) return {};
  return {
    BindOptions: {
      ...(propagation === undefined ? {} : { Propagation: propagation }),
      ...(nonRecursive ? { NonRecursive: true } : {}),
    },
  };
}

function isSet(text: string, fields: ReadonlyMap<string, string>, name: string): boolean {
  const value = fields.get(name);
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

/** `/dev/fuse`, `/dev/fuse:/dev/f:rw`. */
export function parseDevice(text: string): NonNullable<HostConfig["Devices"]>[number] {
  const match = /^(\/[^:]*)(?::(\/[^:]*))?(?::([rwm]{1,3}))?$/.exec(text);
  if (match === null)
    throw OrlopError.of("bad_value", {
      what: "--device",
      value: text,
      expected: "DEVICE[:TARGET[:rwm]] with absolute paths",
    });
  return {
    PathOnHost: match[1] as string,
    PathInContainer: match[2] ?? (match[1] as string),
    CgroupPermissions: match[3] ?? "rwm",
  };
}
