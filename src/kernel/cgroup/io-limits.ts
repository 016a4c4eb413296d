/** Limits of a group's disk I/O, as the files of either cgroup version. */

import { OrlopError } from "../../base/errors.ts";
import { type CgroupLayout, isUnified } from "./layout.ts";
import type { GroupFile } from "./limits.ts";
import type { ReadText } from "./parent.ts";

/** The runtime specification's `linux.resources.blockIO`. */
export interface IoLimits {
  /** 10 to 1000: its part of a disk when others want it too. */
  readonly weight?: number;
  readonly weightDevice?: readonly (DeviceNumbers & { readonly weight: number })[];
  /** Bytes and operations a second. */
  readonly throttleReadBpsDevice?: readonly DeviceRate[];
  readonly throttleWriteBpsDevice?: readonly DeviceRate[];
  readonly throttleReadIOPSDevice?: readonly DeviceRate[];
  readonly throttleWriteIOPSDevice?: readonly DeviceRate[];
}

export interface DeviceNumbers {
  readonly major: number;
  readonly minor: number;
}

export type DeviceRate = DeviceNumbers & { readonly rate: number };

const weightFiles = {
  v1: ["blkio.bfq.weight", "blkio.weight"],
  v2: ["io.bfq.weight", "io.weight"],
} as const;

/** The file with a group's I/O weight, which depends on the disks' scheduler. `group`: any but the root group, which has none. */
export function findWeightFile(layout: CgroupLayout, group: string, read: ReadText): string | undefined {
  const { v2, v1 } = layout;
  const mountPoint = isUnified(layout)
    ? v2?.mountPoint
    : v1.find(({ controllers }) => controllers.includes("blkio"))?.mountPoint;
  const names = isUnified(layout) ? weightFiles.v2 : weightFiles.v1;
  return names.find((name) => mountPoint !== undefined && read(`${mountPoint}${group}/${name}`) !== undefined);
}

/** @throws {OrlopError} limit_unsupported for weights on a machine whose disks' schedulers know none */
export function ioFiles(layout: CgroupLayout, limits: IoLimits): GroupFile[] {
  return [...weights(layout, limits), ...throttles(isUnified(layout), limits)];
}

function weights(layout: CgroupLayout, { weight, weightDevice = [] }: IoLimits): GroupFile[] {
  if (weight === undefined && weightDevice.length === 0) return [];
  const file = layout.ioWeightFile;
  if (file === undefined)
    throw OrlopError.of("limit_unsupported", {
      limit: "a block I/O weight",
      needs: "a kernel with the disk scheduler BFQ",
    });
  const controller = isUnified(layout) ? "io" : "blkio";
  // io.weight goes from 1 to 10000; the other files from 1 to 1000, as the value that is converted.
  const scale = (value: number): number => (file === "io.weight" ? 1 + Math.floor(((value - 10) * 9999) / 990) : value);
  const why = "its part of a disk when others want it too";
  const deviceFile = isUnified(layout) ? file : `${file}_device`;
  return [
    ...(weight === undefined ? [] : [{ controller, file, value: String(scale(weight)), why }]),
    ...weightDevice.map(({ major, minor, weight: own }) => ({
      controller,
      file: deviceFile,
      value: `${major}:${minor} ${scale(own)}`,
      why,
    })),
  ];
}

function throttles(isV2: boolean, limits: IoLimits): GroupFile[] {
  const kinds = [
    ["throttleReadBpsDevice", "read_bps", "rbps", "bytes read in a second"],
    ["throttleWriteBpsDevice", "write_bps", "wbps", "bytes written in a second"],
    ["throttleReadIOPSDevice", "read_iops", "riops", "reads in a second"],
    ["throttleWriteIOPSDevice", "write_iops", "wiops", "writes in a second"],
  ] as const;
  return kinds.flatMap(([field, v1, v2, what]) =>
    (limits[field] ?? []).map(({ major, minor, rate }) => ({
      controller: isV2 ? "io" : "blkio",
      file: isV2 ? "io.max" : `blkio.throttle.${v1}_device`,
      value: isV2 ? `${major}:${minor} ${v2}=${rate}` : `${major}:${minor} ${rate}`,
      why: `the most ${what}, from device ${major}:${minor}`,
    })),
  );
}
