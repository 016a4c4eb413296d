/** A container's mounts as in its record: those of the request, with all volumes named. */

import type { Digest } from "../../spec/digest.ts";
import type { MountBelow } from "../../spec/runtime-spec.ts";
import type { VolumeOptions } from "../../storage/local-volume.ts";

interface Place {
  /** Absolute and clean. */
  readonly destination: string;
  readonly readonly: boolean;
  /** The mode as the client wrote it, e.g. "ro,z"; only shown by `inspect`. */
  readonly mode: string;
}

export interface BindPoint extends Place {
  readonly type: "bind";
  readonly source: string;
  readonly propagation: string;
  /** Includes mounts below the source (rbind). */
  readonly recursive: boolean;
  /** Read-only applies to mounts below the source too. */
  readonly readonlyBelow: boolean;
  /** If the source is missing, `-v` makes a directory and `--mount` refuses, as in Docker. */
  readonly missingSource: "make" | "refuse";
}

export interface VolumePoint extends Place {
  readonly type: "volume";
  readonly name: string;
  /** Anonymous: removed with the container, if that is asked for. */
  readonly anonymous: boolean;
  /** An empty volume is filled with what the image has at the destination. */
  readonly copyUp: boolean;
  /** A directory in the volume to mount instead of all of it; "": all. */
  readonly subpath: string;
}

export interface TmpfsPoint extends Place {
  readonly type: "tmpfs";
  readonly options: readonly string[];
  /** Docker's `inspect` lists those of `Mounts`, not those of `Tmpfs`. */
  readonly listed: boolean;
}

/** An image's files, read-only. */
export interface ImagePoint extends Place {
  readonly type: "image";
  /** The image as the client wrote it. */
  readonly source: string;
  readonly image: MountedImage;
  /** A path in the image; "": all. */
  readonly subpath: string;
}

export interface MountedImage {
  readonly id: Digest;
  /** Diff ids, the lowest first. */
  readonly layers: readonly Digest[];
}

export type MountPoint = BindPoint | VolumePoint | TmpfsPoint | ImagePoint;

/** How to create a volume that does not exist. */
export interface VolumeMaking {
  readonly driver: string;
  readonly options: VolumeOptions | null;
  readonly labels: Readonly<Record<string, string>> | null;
}

/** A mount as in a create body: a volume may have no name yet, and an image is not looked up. */
export type AskedMount =
  | (Exclude<MountPoint, ImagePoint> & { readonly making?: VolumeMaking })
  | (Omit<ImagePoint, "image"> & { readonly image: MountedImage | undefined; readonly making?: never });

/** A mount with volume and image looked up. */
export type ChosenMount = MountPoint & { readonly making?: VolumeMaking };

/** Sorts mounts so that no one covers an earlier one: parents come first. */
export function inOrder<T extends Place>(points: readonly T[]): T[] {
  return points.toSorted((a, b) => depthOf(a.destination) - depthOf(b.destination));
}

function depthOf(path: string): number {
  return path.split("/").length;
}

/** Paths of the host. */
export interface MountPlaces {
  volume(name: string): string;
  layer(diffId: Digest): string;
  /** An empty directory. */
  readonly nothing: string;
  /** A mount point that each container's process uses in its own mount namespace. */
  readonly part: string;
}

/** The mount in the form of the runtime specification. */
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
    // Without an upper directory, overlay needs at least two lower ones.
    const view = layers.length > 1 ? { source: places.part, lowers: layers } : { source: layers[0] ?? places.nothing };
    const below = point.subpath === "" ? {} : { subpath: point.subpath };
    return { destination, type: "bind", options: ["bind", "rprivate", "ro"], ...view, ...below };
  }
  const { source, recursive, propagation, readonly, readonlyBelow } = point;
  const access = readonly ? [recursive && readonlyBelow ? "rro" : "ro"] : [];
  return { destination, type: "bind", source, options: [recursive ? "rbind" : "bind", propagation, ...access] };
}

/** The names of the anonymous volumes. */
export function anonymousOf(points: readonly MountPoint[]): string[] {
  return points.flatMap((point) => (point.type === "volume" && point.anonymous ? [point.name] : []));
}

/** The names of all volumes. */
export function volumesOf(points: readonly MountPoint[]): string[] {
  return [...new Set(points.flatMap((point) => (point.type === "volume" ? [point.name] : [])))];
}
