/** The body of `POST /containers/ID/update`: what of a container's limits and restart policy can change while it lives. */

import { memory, restartPolicy } from "./engine-api-host-config.ts";
import { type Field, field, type Read, refused, shape, text, whole } from "./engine-api-read.ts";

/** 0 and "" mean: as it was. */
function change<T>(read: Read<T>): Field<T | undefined> {
  const unchanged: Read<T | undefined> = (value, path) => (value === 0 || value === "" ? undefined : read(value, path));
  return field(unchanged, undefined);
}

/** Set at create and never again. */
const fixed = refused;

const policyChange: Read<ReturnType<typeof restartPolicy> | undefined> = (value, path) => {
  const policy = restartPolicy(value, path);
  return policy.Name === "" ? undefined : policy;
};

const update = shape({
  Memory: change(memory),
  MemoryReservation: change(memory),
  MemorySwap: change(whole(-1)),
  NanoCpus: change(whole(0)),
  BlkioWeight: change(whole(0, 1000)),
  CpuShares: change(whole(0)),
  CpuPeriod: change(whole(0)),
  CpuQuota: change(whole(-1)),
  CpusetCpus: change(text),
  CpusetMems: change(text),
  /** 0 and less: without limit. */
  PidsLimit: field<number | undefined>(whole(Number.MIN_SAFE_INTEGER), undefined),
  RestartPolicy: field(policyChange, undefined),
  // Docker reads these and does nothing with them.
  CgroupParent: fixed,
  BlkioWeightDevice: fixed,
  BlkioDeviceReadBps: fixed,
  BlkioDeviceWriteBps: fixed,
  BlkioDeviceReadIOps: fixed,
  BlkioDeviceWriteIOps: fixed,
  Devices: fixed,
  DeviceCgroupRules: fixed,
  DeviceRequests: fixed,
  Init: fixed,
  KernelMemoryTCP: fixed,
  MemorySwappiness: field<undefined>((value, path) => refused.read(value === -1 ? 0 : value, path), undefined),
  OomKillDisable: fixed,
  Ulimits: fixed,
  CpuCount: fixed,
  CpuPercent: fixed,
  IOMaximumIOps: fixed,
  IOMaximumBandwidth: fixed,
});

/** Only what is to change. */
export type ContainerUpdate = ReturnType<typeof update>;

/** @throws {OrlopError} unknown_field, bad_value: both name the field */
export function parseContainerUpdate(value: unknown): ContainerUpdate {
  return update(value, "");
}
