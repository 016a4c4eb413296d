/** /proc/self/mountinfo as values, and which of its mounts are visible. @see proc_pid_mountinfo(5) */

import { rememberLast } from "../base/remember-last.ts";

export interface MountInfo {
  readonly id: number;
  readonly parent: number;
  /** Of the file system, "254:0". */
  readonly device: string;
  /** The directory of the file system that is this mount's root; for a bind mount or a subvolume usually not "/". */
  readonly root: string;
  readonly mountPoint: string;
  /** Of this mount: ro, nosuid, relatime … */
  readonly options: readonly string[];
  /** e.g. "shared:1"; empty for a private mount. */
  readonly propagation: readonly string[];
  readonly fstype: string;
  readonly source: string;
  /** Of the file system: rw, mode=755 … */
  readonly superOptions: readonly string[];
}

/** Every mount, in the file's order. Throws on a line without the lone "-" before the file system type: the kernel never writes one. */
export const parseMountInfo = rememberLast((text: string): readonly MountInfo[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map(parseLine),
);

function parseLine(line: string): MountInfo {
  const fields = line.split(" ");
  const dash = fields.indexOf("-", 6);
  const [id, parent, device, root, mountPoint, options] = fields;
  const [fstype, source, superOptions] = fields.slice(dash + 1);
  if (dash < 0 || root === undefined || mountPoint === undefined || device === undefined || fstype === undefined)
    throw new TypeError(`not a line of mountinfo: ${JSON.stringify(line)}`);
  return {
    id: Number(id),
    parent: Number(parent),
    device,
    root: unescapePath(root),
    mountPoint: unescapePath(mountPoint),
    options: (options ?? "").split(","),
    propagation: fields.slice(6, dash),
    fstype: unescapePath(fstype),
    source: unescapePath(source ?? ""),
    superOptions: (superOptions ?? "").split(","),
  };
}

/** The kernel writes space, tab, newline and backslash as \ooo. */
function unescapePath(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** Whether `path` is `directory` or below it. Both absolute and clean. */
export function isWithin(path: string, directory: string): boolean {
  return directory === "/" || path === directory || path.startsWith(`${directory}/`);
}

/**
 * The mounts that paths can reach, parents before children. A mount that is covered by another one (at the same mount point or a
 * directory above it) is not reachable, nor are the mounts below it.
 */
export const visibleMounts = rememberLast((mounts: readonly MountInfo[]): readonly MountInfo[] => {
  const ids = new Set(mounts.map((mount) => mount.id));
  // The top's parent is outside the listing (or itself, for the initial root file system).
  const isTop = (mount: MountInfo) => !ids.has(mount.parent) || mount.parent === mount.id;
  const children = Map.groupBy(
    mounts.filter((mount) => !isTop(mount)),
    (mount) => mount.parent,
  );
  const top = mounts.findLast((mount) => isTop(mount) && mount.mountPoint === "/");
  return top === undefined ? [] : visibleFrom(top, children);
});

function visibleFrom(mount: MountInfo, children: ReadonlyMap<number, readonly MountInfo[]>): MountInfo[] {
  const below = children.get(mount.id) ?? [];
  const cover = below.findLast((child) => child.mountPoint === mount.mountPoint);
  if (cover !== undefined) return visibleFrom(cover, children);
  const covered = new Set(below.map((child) => child.mountPoint));
  const reachable = below.filter((child) => !directoriesAbove(child.mountPoint).some((path) => covered.has(path)));
  return [mount, ...reachable.flatMap((child) => visibleFrom(child, children))];
}

/** "/", "/a", "/a/b" for "/a/b/c". With these, thousands of mounts need not be compared with each other. */
function directoriesAbove(path: string): string[] {
  if (path === "/") return [];
  const names = path.split("/").slice(1, -1);
  return ["/", ...names.map((_, index) => `/${names.slice(0, index + 1).join("/")}`)];
}
