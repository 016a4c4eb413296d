/** Paths of `cp` as Docker interprets them (moby container/archive.go): whether the last link is followed, how entries are named. Pure. */

import { posix } from "node:path";

export interface AskedPath {
  /** Absolute and clean, as the container sees it. */
  readonly path: string;
  /** The path ends in "/" or "/.": a link at its end is followed. */
  readonly follow: boolean;
  /** The path must be a directory, because it ends in "/" or "/.". */
  readonly isDirectory: boolean;
  /** The name of the archive's first entry: the path's last component, "." or "/". */
  readonly name: string;
}

export function askedPath(written: string): AskedPath {
  const path = posix.resolve("/", written);
  const isDot = /(^|\/)\.$/.test(written);
  const follow = isDot || written.endsWith("/") || path === "/";
  return {
    path,
    follow,
    isDirectory: follow,
    name: isDot && path !== "/" ? "." : path === "/" ? "/" : posix.basename(path),
  };
}

/** The name in the archive of an entry. @param name of the first entry. @param path of this one below it; both are byte strings */
export function archiveName(name: string, path: string): string {
  if (path === "") return name;
  return name === "/" ? `/${path}` : `${name}/${path}`;
}

const goModes: readonly (readonly [kind: number, bit: number])[] = [
  [0o040000, 2 ** 31], // directory
  [0o120000, 2 ** 27], // symbolic link
  [0o060000, 2 ** 26], // block device
  [0o020000, 2 ** 26 + 2 ** 21], // character device
  [0o010000, 2 ** 25], // named pipe
  [0o140000, 2 ** 24], // socket
];

/** A mode as Go's os.FileMode, which the API uses. */
export function goMode(mode: number): number {
  const kind = goModes.find(([bits]) => bits === (mode & 0o170000))?.[1] ?? 0;
  const special = (mode & 0o4000 ? 2 ** 23 : 0) + (mode & 0o2000 ? 2 ** 22 : 0) + (mode & 0o1000 ? 2 ** 20 : 0);
  return kind + special + (mode & 0o777);
}
