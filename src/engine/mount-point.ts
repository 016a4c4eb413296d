/** A container's mounts as its record keeps them: what was asked for, with the volumes' names found. */

import type { MountBelow } from "../spec/runtime-spec.ts";
import type { VolumeOptions } from "../storage/local-volume.ts";

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

export type MountPoint = BindPoint | VolumePoint | TmpfsPoint;

/** How to make a volume that is not there. */
export interface VolumeMaking {
  readonly driver: string;
  readonly options: VolumeOptions;
  readonly labels: Readonly<Record<string, string>> | null;
}

/** What a create body asks for: a volume may still lack its name. */
export type AskedMount = MountPoint & { readonly making?: VolumeMaking };

/** Parents before what lies below them, so that no mount covers an earlier one. */
export function inOrder<T extends MountPoint>(points: readonly T[]): T[] {
  return points.toSorted((a, b) => depthOf(a.destination) - depthOf(b.destination));
}

function depthOf(path: string): number {
  return path.split("/").length;
}

/** As the runtime specification has it. @param pathOf where a volume's data lies */
export function mountOf(point: MountPoint, pathOf: (volume: string) => string): MountBelow {
  const { destination } = point;
  if (point.type === "tmpfs") return { destination, type: "tmpfs", source: "tmpfs", options: point.options };
  if (point.type === "volume") {
    const options = ["rbind", "rprivate", ...(point.readonly ? ["rro"] : [])];
    const below = point.subpath === "" ? {} : { subpath: point.subpath };
    return { destination, type: "bind", source: pathOf(point.name), options, ...below };
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
