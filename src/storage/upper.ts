/** Where a container's changes to its root are kept: the upper directories of its overlays. */

import { createHash } from "node:crypto";
import { OrlopError } from "../base/errors.ts";
import type { MountInfo } from "../kernel/mountinfo.ts";
import { visibleMounts } from "../kernel/mountinfo.ts";
import type { RootSource } from "../kernel/root-source.ts";
import type { Step } from "../kernel/step.ts";
import { mountOf } from "./file-place.ts";

/**
 * directory: a host directory of the container's own, kept until it is removed. volatile: never synced by the kernel, for
 * a container that does not survive a power loss anyway (`--rm`).
 * tmpfs: in memory, mounted in the container's own mount namespace, gone with it.
 */
export type Upper =
  | { readonly kind: "directory"; readonly path: string; readonly volatile: boolean }
  | { readonly kind: "tmpfs"; readonly mountPoint: string }
  /** A host directory of the container's own, with a complete copy of its root (`copies` in README.md). */
  | { readonly kind: "copies"; readonly path: string };

/** How the root of a container over layers or a directory is kept. README.md has the contract that both fulfil. */
export type StorageDriver = "overlay" | "copies";

/** @throws {OrlopError} bad_value */
export function parseStorageDriver(text: string | undefined): StorageDriver {
  if (text === undefined || text === "" || text === "overlay") return "overlay";
  if (text === "copies") return "copies";
  throw OrlopError.of("bad_value", { what: "ORLOP_STORAGE", value: text, expected: "overlay or copies" });
}

/** File systems that overlay can write to: they have d_type, xattrs and RENAME_WHITEOUT. */
const writableByOverlay = new Set(["bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "tmpfs", "xfs", "zfs"]);

/**
 * Chooses where a container's changes are kept.
 *
 * On disk, also with `--rm`: in memory, a container that writes much would use up the machine's memory, or be killed at its own
 * limit; with `volatile` the disk costs 0.3 ms more and no sync (docs/storage.md has the figures).
 *
 * @param directory of the container's own
 * @param memory    where a tmpfs is mounted when `directory`'s file system cannot hold an upper directory
 */
export function chooseUpper(
  mounts: readonly MountInfo[],
  { directory, memory, removedAtExit }: { directory: string; memory: string; removedAtExit: boolean },
): Upper {
  if (canHoldUpper(visibleMounts(mounts), directory))
    return { kind: "directory", path: directory, volatile: removedAtExit };
  return { kind: "tmpfs", mountPoint: memory };
}

/** Whether overlay can have its upper directory at `path`; inside another container it usually cannot. */
function canHoldUpper(mounts: readonly MountInfo[], path: string): boolean {
  const mount = mountOf(mounts, path);
  return mount !== undefined && writableByOverlay.has(mount.fstype) && mount.options.includes("rw");
}

/** Steps that must come before the first layer's `mount`, in the container's process. */
export function planUpper(upper: Upper): { readonly prepare: Step[]; readonly mount: Step[] } {
  if (upper.kind !== "tmpfs") return { prepare: [], mount: [] };
  return {
    prepare: [
      {
        op: "mkdir",
        path: upper.mountPoint,
        mode: 0o700,
        why: "an empty directory that each container mounts over in its own namespace",
      },
    ],
    mount: [
      {
        op: "mount",
        fstype: "tmpfs",
        source: "upper",
        target: upper.mountPoint,
        attributes: 0,
        options: ["mode=700"],
        why: "its changes live in memory, and end with its mount namespace",
      },
    ],
  };
}

/** A copy-on-write view of `lower`, mounted on `target`. */
export function planLayer(upper: Upper, name: string, lower: string, target: string): LayerSteps {
  return planOverlay(upper, { name, lowers: [lower], shown: lower, target });
}

export interface LayerSteps {
  readonly prepare: Step[];
  readonly mount: Step[];
}

export interface OverlayInput {
  /** The name of this overlay among the container's, usable as a file name. */
  readonly name: string;
  /** Topmost first. */
  readonly lowers: readonly string[];
  /** What they are, for reasons of steps. */
  readonly shown: string;
  readonly target: string;
}

/** A root that consists of one such view. */
export function planOverlayRoot(
  upper: Upper,
  mountPoint: string,
  { lowers, shown }: Pick<OverlayInput, "lowers" | "shown">,
): RootSource {
  const place = planUpper(upper);
  const layer = planOverlay(upper, { name: "root", lowers, shown, target: mountPoint });
  const why = "the place that each container's process covers with its root";
  return {
    prepare: [{ op: "mkdir", path: mountPoint, mode: 0o700, why }, ...place.prepare, ...layer.prepare],
    mount: [...place.mount, ...layer.mount],
    mountPoint,
    furnish: [],
    owned: upper.kind === "tmpfs" ? [] : [upper.path],
  };
}

/** A copy-on-write view of directories on top of each other. */
function planOverlay(upper: Upper, { name, lowers, shown, target }: OverlayInput): LayerSteps {
  if (upper.kind === "copies") return planCopies(upper.path, { name, lowers, shown, target });
  const base = upper.kind === "directory" ? `${upper.path}/${name}` : `${upper.mountPoint}/${name}`;
  const made: Step[] = [
    { op: "mkdir", path: `${base}/upper`, mode: 0o755, why: `what the container changes of ${shown}` },
    {
      op: "mkdir",
      path: `${base}/work`,
      mode: 0o700,
      why: "where overlay prepares a change before it is renamed into place",
    },
  ];
  const overlay: Step = {
    op: "overlay",
    target,
    lowers,
    upper: `${base}/upper`,
    work: `${base}/work`,
    options: upper.kind === "directory" && upper.volatile ? ["volatile"] : [],
    why: `${shown} can be changed at will: nothing of it reaches the host`,
  };
  return upper.kind === "directory" ? { prepare: made, mount: [overlay] } : { prepare: [], mount: [...made, overlay] };
}

/** A copy of these merged directories, made at the first start. */
function planCopies(path: string, { name, lowers, shown, target }: OverlayInput): LayerSteps {
  const copy = copyOf(path, name);
  return {
    prepare: [
      { op: "mkdir", path: `${path}/${name}`, mode: 0o700, why: "the container's own" },
      {
        op: "copy-tree",
        layers: lowers,
        target: copy,
        why: `${shown}, to be changed at will: overlay is not used here`,
      },
    ],
    mount: [{ op: "bind", source: copy, target, flags: 0, set: 0, clear: 0, why: "its own copy is its root" }],
  };
}

/** The copy of a container's root; when it exists, the container uses it. */
export function copyOf(path: string, name: string): string {
  return `${path}/${name}/copy`;
}

/** A path as a file name: "/srv/data" becomes "srv%2Fdata", "/" becomes "root". Stable, so that a restart finds its layer. */
export function layerName(path: string): string {
  const name = path === "/" ? "root" : encodeURIComponent(path.slice(1));
  if (name.length <= 200) return name;
  return createHash("sha256").update(path).digest("hex");
}
