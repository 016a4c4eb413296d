/** Binds, Mounts and Tmpfs of a create body as the runtime specification's mounts. Pure. */

import { OrlopError } from "../base/errors.ts";
import type { HostConfig, MountRequest } from "../spec/engine-api-host-config.ts";
import type { Mount } from "../spec/runtime-spec.ts";

export interface AskedMount extends Mount {
  /** What Docker does when the source of a bind is missing: `-v` makes a directory, `--mount` refuses. */
  readonly missingSource: "make" | "refuse";
}

/** In an order in which no mount covers an earlier one. @throws {OrlopError} bad_value, unknown_field */
export function mountsOf(host: HostConfig): AskedMount[] {
  const asked = [
    ...host.Binds.map(parseBind),
    ...host.Mounts.map(parseMount),
    ...Object.entries(host.Tmpfs).map(([target, options]) => tmpfs(target, options === "" ? [] : options.split(","))),
  ];
  const targets = asked.map((mount) => mount.destination);
  const twice = targets.find((target, index) => targets.indexOf(target) !== index);
  if (twice !== undefined) throw OrlopError.of("duplicate_mount", { target: twice });
  return asked.toSorted((a, b) => depthOf(a.destination) - depthOf(b.destination));
}

/** The defaults without those that were asked for, then these. */
export function withMounts(defaults: readonly Mount[], asked: readonly AskedMount[]): Mount[] {
  const targets = new Set(asked.map((mount) => mount.destination));
  return [
    ...defaults.filter((mount) => !targets.has(mount.destination)),
    ...asked.map(({ missingSource: _, ...mount }) => mount),
  ];
}

function depthOf(path: string): number {
  return path.split("/").length;
}

/** "SOURCE:TARGET[:OPTION,…]". */
function parseBind(text: string): AskedMount {
  const [source = "", target = "", options = "", ...rest] = text.split(":");
  if (source === "" || target === "" || rest.length > 0)
    throw OrlopError.of("bad_value", { what: "HostConfig.Binds", value: text, expected: "SOURCE:TARGET[:OPTIONS]" });
  if (!source.startsWith("/")) throw OrlopError.of("unknown_field", { field: `the named volume ${source}` });
  const words = options === "" ? [] : options.split(",");
  const unknown = words.find((word) => !bindOptions.has(word));
  if (unknown !== undefined)
    throw OrlopError.of("bad_value", {
      what: `option of HostConfig.Binds ${JSON.stringify(text)}`,
      value: unknown,
      expected: [...bindOptions.keys()].join(", "),
    });
  const propagation = words.map((word) => bindOptions.get(word)).find((option) => option?.kind === "propagation");
  return bind({
    source,
    target,
    readonly: words.includes("ro"),
    recursive: true,
    propagation: propagation?.name ?? "rprivate",
    missingSource: "make",
  });
}

/** consistency: a hint for machines where files are shared with a virtual one. label: for SELinux, which Orlop does not use. */
const bindOptions: ReadonlyMap<
  string,
  { readonly kind: "access" | "propagation" | "consistency" | "label"; readonly name: string }
> = new Map(
  (
    [
      ["access", ["ro", "rw"]],
      ["propagation", ["private", "rprivate", "slave", "rslave"]],
      ["consistency", ["cached", "delegated", "consistent"]],
      ["label", ["z", "Z"]],
    ] as const
  ).flatMap(([kind, names]) => names.map((name) => [name, { kind, name }] as const)),
);

function parseMount(request: MountRequest, index: number): AskedMount {
  const path = `HostConfig.Mounts[${index}]`;
  const { Type, Source, Target, ReadOnly, BindOptions, TmpfsOptions } = request;
  if (Type === "tmpfs") {
    if (Source !== "")
      throw OrlopError.of("bad_value", { what: `${path}.Source`, value: Source, expected: "no source" });
    if (BindOptions !== undefined) throw OrlopError.of("unknown_field", { field: `${path}.BindOptions of a tmpfs` });
    const { SizeBytes = 0, Mode = 0, Options = [] } = TmpfsOptions ?? {};
    const options = [
      ...(ReadOnly ? ["ro"] : []),
      ...(SizeBytes > 0 ? [`size=${SizeBytes}`] : []),
      ...(Mode > 0 ? [`mode=${Mode.toString(8)}`] : []),
      ...Options.map((words) => words.join("=")),
    ];
    return tmpfs(Target, options);
  }
  if (TmpfsOptions !== undefined) throw OrlopError.of("unknown_field", { field: `${path}.TmpfsOptions of a bind` });
  if (!Source.startsWith("/"))
    throw OrlopError.of("bad_value", { what: `${path}.Source`, value: Source, expected: "an absolute path" });
  const propagation = BindOptions?.Propagation || "rprivate";
  if (propagation.endsWith("shared"))
    throw OrlopError.of("unknown_field", { field: `${path}.BindOptions.Propagation=${propagation}` });
  if (BindOptions?.ReadOnlyNonRecursive)
    throw OrlopError.of("unknown_field", { field: `${path}.BindOptions.ReadOnlyNonRecursive` });
  return bind({
    source: Source,
    target: Target,
    readonly: ReadOnly,
    recursive: BindOptions?.NonRecursive !== true,
    propagation,
    missingSource: BindOptions?.CreateMountpoint ? "make" : "refuse",
  });
}

interface Bind {
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
  readonly recursive: boolean;
  readonly propagation: string;
  readonly missingSource: AskedMount["missingSource"];
}

function bind({ source, target, readonly, recursive, propagation, missingSource }: Bind): AskedMount {
  return {
    destination: targetOf(target),
    type: "bind",
    source,
    options: [recursive ? "rbind" : "bind", propagation, ...(readonly ? ["ro"] : [])],
    missingSource,
  };
}

const tmpfsOptions =
  /^(ro|rw|noexec|exec|nosuid|suid|nodev|dev|noatime|relatime|strictatime|size=\d+[kmg%]?|mode=[0-7]{1,4}|uid=\d+|gid=\d+|nr_inodes=\d+[kmg]?|nr_blocks=\d+[kmg]?)$/;

function tmpfs(target: string, options: readonly string[]): AskedMount {
  const unknown = options.find((option) => !tmpfsOptions.test(option));
  if (unknown !== undefined)
    throw OrlopError.of("bad_value", {
      what: `option of the tmpfs on ${target}`,
      value: unknown,
      expected: "ro, rw, exec, suid, dev (and their no…), size=BYTES, mode=OCTAL, uid=, gid=, nr_inodes= or nr_blocks=",
    });
  const destination = targetOf(target);
  return {
    destination,
    type: "tmpfs",
    source: "tmpfs",
    options: ["noexec", "nosuid", "nodev", ...options],
    missingSource: "refuse",
  };
}

/** Clean, so that two ways of writing one path are one. */
function targetOf(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (!path.startsWith("/") || parts.length === 0 || parts.includes(".."))
    throw OrlopError.of("bad_value", {
      what: "mount path",
      value: path,
      expected: "an absolute path in the container, without .., and not / itself",
    });
  return `/${parts.join("/")}`;
}
