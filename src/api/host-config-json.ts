/** HostConfig for `inspect`: the request's, with Docker's defaults. */

import type { Container } from "../engine/containers/container.ts";
import { shownPathsOf } from "../engine/containers/spec-security.ts";
import { logSettingsOf } from "../engine/logs/log-settings.ts";
import type { Machine } from "../engine/machine.ts";

/** Lists that Docker shows as null when they are empty (Go's nil slices). */
const nullLists = [
  "Binds",
  "VolumesFrom",
  "CapAdd",
  "CapDrop",
  "Dns",
  "DnsOptions",
  "DnsSearch",
  "ExtraHosts",
  "GroupAdd",
  "Links",
  "SecurityOpt",
  "BlkioWeightDevice",
  "BlkioDeviceReadBps",
  "BlkioDeviceWriteBps",
  "BlkioDeviceReadIOps",
  "BlkioDeviceWriteIOps",
  "Devices",
  "DeviceCgroupRules",
  "DeviceRequests",
  "Ulimits",
] as const;

/** Fields that Docker leaves out when they are empty. */
const leftOut = ["Rootfs", "Mounts", "Sysctls", "Annotations", "Tmpfs", "StorageOpt"] as const;

/** Fields that Docker shows and that cannot be set here: limits of Windows, and those that the kernel no longer has. */
const fixed = {
  Cgroup: "",
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  KernelMemory: 0,
  KernelMemoryTCP: 0,
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
} as const;

const SHM_SIZE_BYTES = 67_108_864;

export function hostConfigJson({ body }: Container, machine: Machine): Readonly<Record<string, unknown>> {
  const host = body.HostConfig;
  const shown: Record<string, unknown> = { ...host, ...fixed };
  for (const name of nullLists) if (isEmpty(shown[name])) shown[name] = null;
  for (const name of leftOut) if (isEmpty(shown[name])) delete shown[name];
  return {
    ...shown,
    PortBindings: shown["PortBindings"] ?? {},
    NetworkMode: host.NetworkMode || "default",
    IpcMode: host.IpcMode || "private",
    CgroupnsMode: host.CgroupnsMode || "private",
    Runtime: host.Runtime || "orlop",
    ShmSize: host.ShmSize || SHM_SIZE_BYTES,
    PidsLimit: host.PidsLimit === 0 ? null : host.PidsLimit,
    MemorySwap: host.MemorySwap === 0 ? 2 * host.Memory : host.MemorySwap,
    MemorySwappiness: host.MemorySwappiness ?? null,
    ...shownPathsOf(host, machine),
    LogConfig: logConfigJson(host.LogConfig),
  };
}

/** Includes the default log limits, which Orlop has, unlike Docker. */
function logConfigJson(asked: Container["body"]["HostConfig"]["LogConfig"]): unknown {
  const { driver, maxFiles, maxSizeBytes } = logSettingsOf(asked);
  if (driver === "none") return { Type: driver, Config: {} };
  const size = maxSizeBytes === 0 ? "-1" : String(maxSizeBytes);
  return { Type: driver, Config: { "max-file": String(maxFiles), "max-size": size, ...asked.Config } };
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
