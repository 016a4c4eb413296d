/** HostConfig's block I/O limits as the runtime specification's, with Docker's rules. The devices' numbers come in. */

import { statSync } from "node:fs";
import { OrlopError } from "../base/errors.ts";
import type { DeviceNumbers, IoLimits } from "../kernel/cgroup/io-limits.ts";
import type { HostConfig } from "../spec/engine-api-host-config.ts";

/** The numbers of a block device of this machine. @throws {OrlopError} bad_value */
export type FindDevice = (path: string) => DeviceNumbers;

const S_IFMT = 0o170_000;
const S_IFBLK = 0o060_000;

export const findBlockDevice: FindDevice = (path) => {
  const status = path.startsWith("/") ? statSync(path, { throwIfNoEntry: false }) : undefined;
  if (status === undefined || (status.mode & S_IFMT) !== S_IFBLK)
    throw OrlopError.of("bad_value", {
      what: "block device",
      value: path,
      expected: "one of this machine, by its path",
    });
  // dev_t as the C library packs it: makedev(3).
  const packed = BigInt(status.rdev);
  return {
    major: Number(((packed >> 8n) & 0xfffn) | ((packed >> 32n) & ~0xfffn)),
    minor: Number((packed & 0xffn) | ((packed >> 12n) & ~0xffn)),
  };
};

export function blockIoOf(host: HostConfig, find: FindDevice): IoLimits | undefined {
  const { BlkioWeight, BlkioWeightDevice } = host;
  checkWeight("BlkioWeight", BlkioWeight);
  const throttle = (entries: HostConfig["BlkioDeviceReadBps"]) =>
    entries.map(({ Path, Rate }) => ({ ...find(Path), rate: Rate }));
  const limits = {
    weightDevice: BlkioWeightDevice.map(({ Path, Weight }) => {
      checkWeight(`BlkioWeightDevice ${Path}`, Weight);
      return { ...find(Path), weight: Weight };
    }),
    throttleReadBpsDevice: throttle(host.BlkioDeviceReadBps),
    throttleWriteBpsDevice: throttle(host.BlkioDeviceWriteBps),
    throttleReadIOPSDevice: throttle(host.BlkioDeviceReadIOps),
    throttleWriteIOPSDevice: throttle(host.BlkioDeviceWriteIOps),
  };
  const given = Object.fromEntries(Object.entries(limits).filter(([, entries]) => entries.length > 0));
  const all = { ...given, ...(BlkioWeight === 0 ? {} : { weight: BlkioWeight }) };
  return Object.keys(all).length === 0 ? undefined : all;
}

function checkWeight(field: string, weight: number): void {
  if (weight !== 0 && (weight < 10 || weight > 1000))
    throw OrlopError.of("bad_value", { what: `HostConfig.${field}`, value: String(weight), expected: "10 to 1000" });
}
