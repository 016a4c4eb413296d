/** A container's mounts as its record keeps them: what was asked for, with the volumes' names found. */

import type { Digest } from "../../spec/digest.ts";
import type { MountBelow } from "../../spec/runtime-spec.ts";
import type { VolumeOptions } from "../../storage/local-volume.ts";

interface Place {
  /** Absolute and clean. */
  readonly destination: string;
  readonly readonly: boolean;
  /** As the client wrote it: "ro,z"; only for `inspect`. */
  readonly mode: string;
}

export interface BindPoint extends Place {
  readonly type: "bind";
  readonly source: string;
  readonly propagation: string;
  /** What is mounted below the source comes too. */
  readonly recursive: boolean;
  /** Read-only means what is mounted below, too. */
  readonly readonlyBelow: boolean;
  /** What Docker does when the source is missing: `-v` makes a directory, `--mount` refuses. */
  readonly missingSource: "make" | "refuse";
}

export interface VolumePoint extends Place {
  readonly type: "volume";
  readonly name: string;
  /** Nobody gave it a name: it goes with the container, where that is asked for. */
  readonly anonymous: boolean;
  /** An empty volume gets what the image has at the destination. */
  readonly copyUp: boolean;
  /** A directory in it, instead of all of it; "" for all. */
  readonly subpath: string;
}

export interface TmpfsPoint extends Place {
  readonly type: "tmpfs";
  readonly options: readonly string[];
  /** Docker's `inspect` lists those of `Mounts`, not those of `Tmpfs`. */
  readonly listed: boolean;
}

/** An image's files, to be read. */
export interface ImagePoint extends Place {
  readonly type: "image";
  /** As the client named it. */
  readonly source: string;
  readonly image: MountedImage;
  /** A path in it; "" for all. */
  readonly subpath: string;
}

export interface MountedImage {
  readonly id: Digest;
  /** Diff ids, the lowest first. */
  readonly layers: readonly Digest[];
}

export type MountPoint = BindPoint | VolumePoint | TmpfsPoint | ImagePoint;

/** How to make a volume that is not there. */
export interface VolumeMaking {
  readonly driver: string;
  readonly options: VolumeOptions | null;
  readonly labels: Readonly<Record<string, string>> | null;
}

/** What a create body asks for: a volume may still lack its name, and an image is only named. */
export type AskedMount =
  | (Exclude<MountPoint, ImagePoint> & { readonly making?: VolumeMaking })
  | (Omit<ImagePoint, "image"> & { readonly image: MountedImage | undefined; readonly making?: never });

/** Both found: what a container gets. */
export type ChosenMount = MountPoint & { readonly making?: VolumeMaking };

/** Parents before what lies below them, so that no mount covers an earlier one. */
export function inOrder<T extends Place>(points: readonly T[]): T[] {
  return points.toSorted((a, b) => depthOf(a.destination) - depthOf(b.destination));
}

function depthOf(path: string): number {
  return path.split("/").length;
}

/** Where things lie on the host. */
export interface MountPlaces {
  volume(name: string): string;
  layer(diffId: Digest): string;
  /** An empty directory. */
  readonly nothing: string;
  /** A directory that each container's process covers for itself. */
  readonly part: string;
}

/** As the runtime specification has it. */
export function mountOf(point: MountPoint, places: MountPlaces): MountBelow {
  const { destination } = point;
  if (point.type === "tmpfs") return { destination, type: "tmpfs", source: "tmpfs", options: point.options };
  if (point.type === "volume") {
    const options = ["rbind", "rprivate", ...(point.readonly ? ["rro"] : [])];
    const below = point.subpath === "" ? {} : { subpath: point.subpath };
    return { destination, type: "bind", source: places.volume(point.name), options, ...below };
  }
  if (point.type === "image") {
    const layers = [...new Set(point.image.layers.map((id) => places.layer(id)).toReversed())];
    // Overlay wants two lower directories where there is no upper one.
    const view = layers.length > 1 ? { source: places.part, lowers: layers } : { source: layers[0] ?? places.nothing };
    const below = point.subpath === "" ? {} : { subpath: point.subpath };
    return { destination, type: "bind", options: ["bind", "rprivate", "ro"], ...view, ...below };
  }
  const { source, recursive, propagation, readonly, readonlyBelow } = point;
  const access = readonly ? [recursive && readonlyBelow ? "rro" : "ro"] : [];
  return { destination, type: "bind", source, options: [recursive ? "rbind" : "bind", propagation, ...access] };
}

/** Names of the volumes that nobody gave a name. */
export function anonymousOf(points: readonly MountPoint[]): string[] {
  return points.flatMap((point) => (point.type === "volume" && point.anonymous ? [point.name] : []));
}

/** Names of all volumes among these. */
export function volumesOf(points: readonly MountPoint[]): string[] {
  return [...new Set(points.flatMap((point) => (point.type === "volume" ? [point.name] : [])))];
}
