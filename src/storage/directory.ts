/** `--rootfs DIR`: a copy-on-write view of a directory, without the mounts below it. */

import { OrlopError } from "../base/errors.ts";
import { isWithin, visibleMounts } from "../kernel/mountinfo.ts";
import type { RootSource } from "../kernel/root-source.ts";
import { liesInside } from "./file-place.ts";
import type { HostView } from "./host.ts";
import { planOverlayRoot, type Upper } from "./upper.ts";

export interface DirectoryInput {
  /** Absolute and free of links (realpath). */
  readonly directory: string;
  /** The host directory on which the container's process mounts its root. */
  readonly mountPoint: string;
  readonly upper: Upper;
  /** Orlop's own directories: never part of a container's root. */
  readonly hidden: readonly string[];
  readonly view: Pick<HostView, "mounts">;
}

/** @throws {OrlopError} bad_value for a directory that contains Orlop's own state */
export function planDirectory({ directory, mountPoint, upper, hidden, view }: DirectoryInput): RootSource {
  const mounts = visibleMounts(view.mounts);
  // by its name, and by any other that a bind mount gives it
  const isIn = (path: string, other: string): boolean => isWithin(path, other) || liesInside(mounts, path, other);
  const inside = hidden.find((path) => isIn(path, directory) || isIn(directory, path));
  if (inside !== undefined)
    throw OrlopError.of("bad_value", {
      what: "root directory",
      value: directory,
      expected: `a directory without ${inside} in it (for the machine's own root: the image "host")`,
    });
  return planOverlayRoot(upper, mountPoint, { lowers: [directory], shown: directory });
}
