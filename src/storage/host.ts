/**
 * The image `host`: a copy-on-write view of the machine itself, assembled from its mounts. Pure: facts about the machine come in as
 * `HostView`.
 *
 * Every mount below / gets one treatment, by its file system (docs/storage.md has the table with reasons):
 *
 *   layer      an overlay: everything is visible, and changes are the container's own
 *   read-only  a bind mount: file systems that overlay cannot use and that cannot hold a socket
 *   empty      a new tmpfs: what programs of the host keep in memory stays theirs
 *   absent     not shown: network, FUSE, kernel interfaces, unknown types. They are not even accessed: a dead one hangs
 */

import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MS_PRIVATE,
} from "../kernel/linux.ts";
import { isWithin, type MountInfo, visibleMounts } from "../kernel/mountinfo.ts";
import type { RootSource } from "../kernel/root-source.ts";
import type { Step } from "../kernel/step.ts";
import { below, filePlace, joined, mountOf } from "./file-place.ts";
import { layerName, planLayer, planUpper, type Upper } from "./upper.ts";

export interface HostView {
  readonly mounts: readonly MountInfo[];
  /** The directory that a path leads to, links resolved; undefined if it is none. Only called for local file systems. */
  directoryAt(path: string): string | undefined;
}

export interface HostInput {
  readonly view: HostView;
  readonly mountPoint: string;
  /** A second mount point, for the parts below the root. */
  readonly partPoint: string;
  readonly upper: Upper;
  /** Orlop's own directories. */
  readonly hidden: readonly string[];
}

export type Treatment = "layer" | "read-only" | "empty" | "absent";

const treatments: Readonly<Record<string, Treatment>> = {
  bcachefs: "layer",
  btrfs: "layer",
  ext2: "layer",
  ext3: "layer",
  ext4: "layer",
  f2fs: "layer",
  jfs: "layer",
  nilfs2: "layer",
  // The machine may be a container, and the lower directory an overlay itself: overlayfs allows one level of that.
  overlay: "layer",
  xfs: "layer",
  zfs: "layer",
  cramfs: "read-only",
  erofs: "read-only",
  exfat: "read-only",
  iso9660: "read-only",
  msdos: "read-only",
  romfs: "read-only",
  squashfs: "read-only",
  vfat: "read-only",
  ramfs: "empty",
  tmpfs: "empty",
};

/** How a mount of this file system type is treated. */
export function treatmentOf(fstype: string): Treatment {
  return treatments[fstype] ?? "absent";
}

/** Mounts of which the container has its own. */
const ownPlaces = ["/proc", "/sys", "/dev", "/run"];

/** Directories in which other engines keep images, containers and secrets. */
const enginePlaces = [
  "/var/lib/docker",
  "/var/lib/containerd",
  "/var/lib/containers",
  "/var/lib/kubelet",
  "/var/lib/rancher",
  "/var/lib/crio",
  "/var/lib/lxc",
  "/var/lib/lxd",
  "/var/lib/incus",
  "/var/lib/machines",
  "/var/snap/docker",
  "/var/snap/microk8s",
];

/** Whether a mount is a container's root of another engine, wherever its storage is. */
const engineMount = /\/(overlay2?|vfs|btrfs|zfs|snapshots)\/[^/]+\/(merged|mounts?|fs|diff)$/;

export function planHost(input: HostInput): RootSource {
  const { mountPoint, partPoint, upper, view } = input;
  const mounts = visibleMounts(view.mounts);
  const hidden = hiddenDirectories(mounts, input);
  const shown = mounts.filter((mount) => mount.mountPoint !== "/" && isShown(mount, mounts, hidden, view));
  const place = planUpper(upper);
  const root = planLayer(upper, layerName("/"), "/", mountPoint);
  const parts = shown.map((mount) => planPart(mount, upper, partPoint));
  return {
    prepare: [
      {
        op: "mkdir",
        path: mountPoint,
        mode: 0o700,
        why: "the place that each container's process covers with its root",
      },
      ...(shown.some((mount) => treatmentOf(mount.fstype) === "layer") ? [partDirectory(partPoint)] : []),
      ...place.prepare,
      ...root.prepare,
      ...parts.flatMap((part) => part.prepare),
    ],
    mount: [...place.mount, ...root.mount],
    mountPoint,
    furnish: [...parts.flatMap((part) => part.furnish), runDirectory, ...hidden.map(hide)],
    owned: upper.kind === "directory" ? [upper.path] : [],
  };
}

const runDirectory: Step = {
  op: "root-mount",
  fstype: "tmpfs",
  source: "tmpfs",
  target: "/run",
  attributes: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
  options: ["mode=755"],
  why: "no service of the host runs in here, and none of its sockets is here",
};

function partDirectory(path: string): Step {
  return {
    op: "mkdir",
    path,
    mode: 0o700,
    why: "the place where parts of the root are made before they are put below it",
  };
}

/** Existing directories to hide, resolved; none is below another or below a mount of the container's own. */
function hiddenDirectories(mounts: readonly MountInfo[], { hidden, view }: HostInput): string[] {
  const isLocal = (path: string) => treatmentOf(mountOf(mounts, path)?.fstype ?? "") !== "absent";
  const real = [...hidden, ...enginePlaces].flatMap((path) => (isLocal(path) ? (view.directoryAt(path) ?? []) : []));
  const everywhere = [...new Set(real.flatMap((path) => [path, ...otherNames(path, mounts)]))];
  const above = [...ownPlaces, ...everywhere];
  return everywhere.filter((path) => path !== "/" && !above.some((other) => other !== path && isWithin(path, other)));
}

/** The same directory seen through other mounts of its file system, e.g. WSL's second view of the root at /mnt/wslg/distro. */
function otherNames(path: string, mounts: readonly MountInfo[]): string[] {
  const place = filePlace(mounts, path);
  if (place === undefined) return [];
  return mounts
    .filter((mount) => mount.device === place.device && isWithin(place.path, mount.root))
    .map((mount) => joined(mount.mountPoint, below(place.path, mount.root)));
}

function isShown(mount: MountInfo, mounts: readonly MountInfo[], hidden: readonly string[], view: HostView): boolean {
  if (treatmentOf(mount.fstype) === "absent" || engineMount.test(mount.mountPoint)) return false;
  if ([...ownPlaces, ...hidden].some((path) => isWithin(mount.mountPoint, path))) return false;
  // A mount below one that is not shown has no mount point.
  const above = mounts.filter((other) => other !== mount && isWithin(mount.mountPoint, other.mountPoint));
  if (above.some((other) => treatmentOf(other.fstype) === "absent")) return false;
  if (isOnItself(mount, mounts)) return false;
  // A bind-mounted file: overlay takes only directories, so the file below it is visible instead.
  return view.directoryAt(mount.mountPoint) !== undefined;
}

/** Whether it is a directory that is bind-mounted on itself (as dockerd does with its data): its parent's layer shows the same files. */
function isOnItself(mount: MountInfo, mounts: readonly MountInfo[]): boolean {
  const parent = mounts.find((other) => other.id === mount.parent);
  if (parent === undefined || parent.device !== mount.device) return false;
  return mount.root === joined(parent.root, below(mount.mountPoint, parent.mountPoint));
}

const keptAttributes: Readonly<Record<string, number>> = {
  nosuid: MOUNT_ATTR_NOSUID,
  nodev: MOUNT_ATTR_NODEV,
  noexec: MOUNT_ATTR_NOEXEC,
};

/** nosuid, nodev and noexec, which the administrator has set on a file system, are kept. */
function attributesOf(mount: MountInfo): number {
  return mount.options.reduce((sum, option) => sum | (keptAttributes[option] ?? 0), 0);
}

interface Part {
  readonly prepare: readonly Step[];
  readonly furnish: readonly Step[];
}

function planPart(mount: MountInfo, upper: Upper, partPoint: string): Part {
  const target = mount.mountPoint;
  const treatment = treatmentOf(mount.fstype);
  if (treatment === "empty") return { prepare: [], furnish: [emptyStep(mount)] };
  if (treatment === "read-only") {
    const why = `${mount.fstype} cannot lie below an overlay: to be read only`;
    return { prepare: [], furnish: [bindStep(target, target, attributesOf(mount) | MOUNT_ATTR_RDONLY, why)] };
  }
  // Mounted outside of the root first, then attached by descriptor: the container may have replaced the mount point by a link.
  const layer = planLayer(upper, layerName(target), target, partPoint);
  const put = bindStep(partPoint, target, attributesOf(mount), `the host's ${target} is a file system of its own`);
  return { prepare: layer.prepare, furnish: [...layer.mount, put] };
}

function bindStep(source: string, target: string, set: number, why: string): Step {
  return { op: "root-bind", source, target, flags: 0, set, clear: 0, propagation: MS_PRIVATE, why };
}

function emptyStep(mount: MountInfo): Step {
  const mode = mount.superOptions.find((option) => option.startsWith("mode=")) ?? "mode=1777";
  return {
    op: "root-mount",
    fstype: "tmpfs",
    source: "tmpfs",
    target: mount.mountPoint,
    attributes: attributesOf(mount),
    options: [mode],
    why: "the host keeps this in memory: the container has its own, empty",
  };
}

function hide(path: string): Step {
  return { op: "root-mask", path, why: "images, containers and secrets of an engine on this machine are hidden" };
}
