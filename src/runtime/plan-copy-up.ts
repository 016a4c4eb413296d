/**
 * What an image has where a new volume goes, copied into the volume: Docker's rule for a volume that is empty. Done from inside
 * the root, in a process that ends with it; the volume's directory is reached before anything of the root can be a way to it.
 */

import { CLONE_NEWNS, MS_REC, MS_SLAVE } from "../kernel/linux.ts";
import type { RootSource } from "../kernel/root-source.ts";
import type { Step } from "../kernel/step.ts";

export interface CopyUp {
  readonly root: RootSource;
  /** In the root. */
  readonly source: string;
  /** An empty host directory, or one to be made. */
  readonly target: string;
}

/** A plan with `spawn`, whose child exits by itself. */
export function planCopyUp({ root, source, target }: CopyUp): Step[] {
  const child: Step[] = [
    {
      op: "propagation",
      path: "/",
      flags: MS_REC | MS_SLAVE,
      why: "what is mounted here stays here, and ends with this process",
    },
    ...root.mount,
    { op: "root", path: root.mountPoint, why: "from here on the source is a path of the image, and no link leads out" },
    ...root.furnish,
    { op: "root-copy", source, target, sync: 1, why: "an empty volume begins with what the image has in its place" },
  ];
  return [
    ...root.prepare,
    { op: "mkdir", path: target, mode: 0o755, why: "where it is put together before it is the volume's" },
    {
      op: "spawn",
      flags: CLONE_NEWNS,
      group: "",
      steps: child.length,
      why: `a process with mounts of its own, for the next ${child.length} steps`,
    },
    ...child,
  ];
}
