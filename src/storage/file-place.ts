/** Where a directory is in its file system. Two paths through different mounts (bind mounts) may lead to the same one. */

import { isWithin, type MountInfo } from "../kernel/mountinfo.ts";

export interface FilePlace {
  /** Of the file system, as in mountinfo: the same for all subvolumes of a btrfs, unlike st_dev. */
  readonly device: string;
  /** From the root of the file system, whatever part of it is mounted. */
  readonly path: string;
}

/** The mount that `path` lies on. `mounts`: those that can be seen, parents first. */
export function mountOf(mounts: readonly MountInfo[], path: string): MountInfo | undefined {
  return mounts.filter((mount) => isWithin(path, mount.mountPoint)).reduce<MountInfo | undefined>(deeper, undefined);
}

function deeper(best: MountInfo | undefined, mount: MountInfo): MountInfo {
  return best === undefined || mount.mountPoint.length >= best.mountPoint.length ? mount : best;
}

/** @param path free of links. undefined where no mount is known */
export function filePlace(mounts: readonly MountInfo[], path: string): FilePlace | undefined {
  const home = mountOf(mounts, path);
  return home && { device: home.device, path: joined(home.root, below(path, home.mountPoint)) };
}

/** Whether what is at one path is, or lies in, the directory at the other, by whatever name. Mounts on it do not count. */
export function liesInside(mounts: readonly MountInfo[], path: string, directory: string): boolean {
  const inner = filePlace(mounts, path);
  const outer = filePlace(mounts, directory);
  if (inner === undefined || outer === undefined) return isWithin(path, directory);
  return inner.device === outer.device && isWithin(inner.path, outer.path);
}

/** "/a/b" below "/a" is "/b"; "/a" below "/a" is "". */
export function below(path: string, directory: string): string {
  return directory === "/" ? path : path.slice(directory.length);
}

export function joined(directory: string, rest: string): string {
  return directory === "/" ? rest || "/" : directory + rest;
}
