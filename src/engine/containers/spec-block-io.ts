/** HostConfig's block I/O limits in the form of the runtime specification, checked by Docker's rules. */

import { OrlopError } from "../../base/errors.ts";
import type { DeviceNumbers, IoLimits } from "../../kernel/cgroup/io-limits.ts";
import { deviceAt } from "../../runtime/machine-facts.ts";
import type { HostConfig } from "../../spec/engine-api-host-config.ts";

/** The numbers of a block device of this machine. @throws {OrlopError} bad_value */
export type FindDevice = (path: string) => DeviceNumbers;

export const findBlockDevice: FindDevice = (path) => {
  const device = path.startsWith("/") ? deviceAt(path) : undefined;
  if (device?.type !== "b" || device.major === undefined || device.minor === undefined)
    throw OrlopError.of("bad_value", {
      what: "block device",
      value: path,
      expected: "one of this machine, by its path",
    });
  return { major: device.major, minor: device.minor };
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
