/**
 * The root of a container that does not run, seen by a task: the plan of its start, in a mount namespace of the task's own. For
 * reading, the container's changes become one more lower layer, and what the plan itself creates (mount points) goes to memory: nothing
 * of the container's is written, and a start at the same time finds its directories unused.
 */
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { CLONE_NEWNS, MS_REC, MS_SLAVE } from "../kernel/linux.ts";
import { type MountInfo, visibleMounts } from "../kernel/mountinfo.ts";
import type { RootSource } from "../kernel/root-source.ts";
import type { Step } from "../kernel/step.ts";
import { liesInside } from "./file-place.ts";
import { readHostView } from "./host-view.ts";
import { sparseMinBytes } from "./tree-tar.ts";

export type Access = "read" | "write";

/**
 * Steps after which `root` has opened the container's root.
 *
 * @param memory a host directory that the task mounts on, in its own namespace
 * @param mounts the machine's
 */
export function planView(
  root: RootSource,
  access: Access,
  memory: string,
  mounts: readonly MountInfo[] = readHostView().mounts,
): Step[] {
  const steps: readonly Step[] = [
    ...root.mount,
    { op: "root", path: root.mountPoint, why: "paths are the container's, and no link leads out" },
    ...root.furnish,
  ];
  return [
    ...root.prepare,
    { op: "unshare", flags: CLONE_NEWNS, why: "what is mounted here is seen by this task alone, and ends with it" },
    { op: "propagation", path: "/", flags: MS_REC | MS_SLAVE, why: "nothing that is mounted here reaches the host" },
    ...(access === "write" ? steps : readOnly(steps, memory, visibleMounts(mounts))),
  ];
}

function readOnly(steps: readonly Step[], memory: string, mounts: readonly MountInfo[]): Step[] {
  let count = 0;
  const changed = steps.flatMap((step): Step[] => {
    if (step.op !== "overlay" || step.upper === "") return [step];
    const place = `${memory}/${count++}`;
    const upper = realPath(step.upper);
    const made = ["upper", "work"].map(
      (name): Step => ({ op: "mkdir", path: `${place}/${name}`, mode: 0o755, why: "mount points that are missing" }),
    );
    const below = step.lowers.some((lower) => liesInside(mounts, upper, lower)) ? `${place}/below` : undefined;
    return [
      ...made,
      ...(below === undefined ? [] : planBelow(step.lowers, below)),
      {
        ...step,
        lowers: [step.upper, ...(below === undefined ? step.lowers : [below])],
        upper: `${place}/upper`,
        work: `${place}/work`,
        options: step.options.filter((option) => option !== "volatile"),
        why: "the container's changes and what is below them, to be read",
      },
    ];
  });
  return [
    { op: "mkdir", path: memory, mode: 0o700, why: "a place that each task covers for itself" },
    {
      op: "mount",
      fstype: "tmpfs",
      source: "view",
      target: memory,
      attributes: 0,
      options: ["mode=700"],
      why: "what the plan itself makes in the root is kept here, and forgotten",
    },
    ...changed,
  ];
}

/**
 * The kernel refuses layers of which one is inside another (ELOOP, fs/overlayfs/super.c, ovl_check_layer), except the upper one. That is
 * so for a view of the machine whose changes are on the machine's own file system, under this name or another (a bind mount): then the
 * layers below become an overlay of their own.
 */
function planBelow(lowers: readonly string[], target: string): Step[] {
  const empty = `${target}-empty`; // a read-only overlay needs at least two layers
  const why = "the machine without the container's changes, which lie in it";
  return [
    ...[target, empty].map((path): Step => ({ op: "mkdir", path, mode: 0o755, why })),
    { op: "overlay", target, lowers: [...lowers, empty], upper: "", work: "", options: [], why },
  ];
}

/** The path without links; of one that does not exist yet, too. */
function realPath(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  return path === "/" ? path : join(realPath(dirname(path)), basename(path));
}

/** One overlay of a container: where it is in the root, and its layers. */
export interface RootLayer {
  /** "" for the root itself, else as "/home". */
  readonly place: string;
  readonly upper: string;
  /** Topmost first. */
  readonly lowers: readonly string[];
  /** `upper` is a copy of everything, with the changes in it. */
  readonly isWhole: boolean;
}

/** The overlays that a root is made of. A part is mounted outside of the root, and bound into it by the next step. */
export function layersOf(root: RootSource): RootLayer[] {
  const layers: RootLayer[] = [];
  for (const step of root.prepare)
    if (step.op === "copy-tree") layers.push({ place: "", upper: step.target, lowers: step.layers, isWhole: true });
  let last: Extract<Step, { op: "overlay" }> | undefined;
  for (const step of [...root.mount, ...root.furnish]) {
    if (step.op === "overlay") {
      last = step;
      if (step.target === root.mountPoint)
        layers.push({ place: "", upper: step.upper, lowers: step.lowers, isWhole: false });
    } else if (step.op === "root-bind" && last !== undefined && step.source === last.target) {
      layers.push({ place: step.target, upper: last.upper, lowers: last.lowers, isWhole: false });
    }
  }
  return layers;
}

/** The mounts below the root that belong to it: the file systems that the image `host` shows. */
export function partsOf(root: RootSource): string[] {
  return root.furnish.flatMap((step) => (step.op === "root-bind" ? [step.target] : []));
}

/** Steps that read a layer's upper directory, compared with what is below it. @param below a host directory to cover */
export function planComparison(layer: RootLayer, below: string, content: boolean): Step[] {
  const [only = "", ...more] = layer.lowers;
  const why = "what the container found, without its changes";
  return [
    { op: "unshare", flags: CLONE_NEWNS, why: "what is mounted here is seen by this task alone, and ends with it" },
    { op: "propagation", path: "/", flags: MS_REC | MS_SLAVE, why: "nothing that is mounted here reaches the host" },
    { op: "mkdir", path: below, mode: 0o700, why: "a place that each task covers for itself" },
    more.length === 0
      ? { op: "bind", source: only, target: below, flags: 0, set: 0, clear: 0, why }
      : { op: "overlay", target: below, lowers: layer.lowers, upper: "", work: "", options: [], why },
    { op: "tree-below", path: below, why },
    { op: "root", path: layer.upper, why: "the container's changes" },
    {
      op: "tree-walk",
      path: "/",
      follow: 0,
      flags: (content ? 3 : 2) + (layer.isWhole ? 4 : 0),
      sparse: sparseMinBytes,
      enter: [],
      why: "read",
    },
  ];
}
