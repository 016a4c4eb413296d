/** `--volume`, `--tmpfs` and `--device` in Docker's notations. */
import { isAbsolute, resolve } from "node:path";
import { OrlopError } from "../base/errors.ts";
import type { HostConfig } from "../client/container-types.ts";

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
