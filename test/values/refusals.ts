/** Fields that are refused by name, each with its reason and a value that dockerd would take. */

export interface Refusal {
  readonly reason: string;
  /** The body around the value. */
  readonly body: Readonly<Record<string, unknown>>;
  /** What the answer names. */
  readonly names: string;
}

const host = (reason: string, field: string, value: unknown): Refusal => ({
  reason,
  body: { HostConfig: { [field]: value } },
  names: `HostConfig.${field}`,
});
const windows = "a limit of Windows: dockerd on Linux takes it and does nothing";
const gpu = "needs a device driver, as dockerd without one says as well";
const requests: Refusal = {
  reason: gpu,
  body: {
    HostConfig: { DeviceRequests: [{ Driver: "", Count: -1, Capabilities: [["gpu"]], DeviceIDs: [], Options: {} }] },
  },
  names: "could not select device driver",
};
const realTime = "dockerd wants to be started with a budget for it, and the kernel to have real-time groups";

export const createRefusals: Readonly<Record<string, Refusal>> = {
  "HostConfig.CpuRealtimePeriod": host(realTime, "CpuRealtimePeriod", 1_000_000),
  "HostConfig.CpuRealtimeRuntime": host(realTime, "CpuRealtimeRuntime", 950_000),
  "HostConfig.KernelMemoryTCP": host("the kernel has given it up", "KernelMemoryTCP", 64 << 20),
  "HostConfig.CpuCount": host(windows, "CpuCount", 1),
  "HostConfig.CpuPercent": host(windows, "CpuPercent", 50),
  "HostConfig.IOMaximumIOps": host(windows, "IOMaximumIOps", 1000),
  "HostConfig.IOMaximumBandwidth": host(windows, "IOMaximumBandwidth", 1 << 20),
  "HostConfig.Cgroup": host("of Windows; dockerd refuses it too", "Cgroup", "container:x"),
  "HostConfig.StorageOpt.*": host(
    "a quota of the root: dockerd has it on xfs with project quotas alone",
    "StorageOpt",
    { size: "1G" },
  ),
  "HostConfig.DeviceRequests[].Driver": requests,
  "HostConfig.DeviceRequests[].Count": requests,
  "HostConfig.DeviceRequests[].DeviceIDs[]": requests,
  "HostConfig.DeviceRequests[].Capabilities[][]": requests,
  "HostConfig.DeviceRequests[].Options.*": requests,
};

export const connectRefusals: Readonly<Record<string, Refusal>> = {};

const fixed = "set at create and never again: dockerd reads it and does nothing";
const change = (field: string, value: unknown): Refusal => ({ reason: fixed, body: { [field]: value }, names: field });
const rate = [{ Path: "/dev/loop0", Rate: 1000 }];
const weights = [{ Path: "/dev/loop0", Weight: 500 }];
const devices = [{ PathOnHost: "/dev/fuse", PathInContainer: "/dev/fuse", CgroupPermissions: "rwm" }];
const gpus = [{ Driver: "", Count: -1, Capabilities: [["gpu"]], DeviceIDs: ["0"], Options: {} }];
const ulimits = [{ Name: "core", Soft: 1, Hard: 1 }];

/** One for each of the fields below a list. */
const each = (field: string, value: unknown, ...below: string[]) =>
  Object.fromEntries(below.map((name) => [`${field}[]${name}`, change(field, value)]));

export const updateRefusals: Readonly<Record<string, Refusal>> = {
  CgroupParent: change("CgroupParent", "/x"),
  ...each("BlkioWeightDevice", weights, ".Path", ".Weight"),
  ...each("BlkioDeviceReadBps", rate, ".Path", ".Rate"),
  ...each("BlkioDeviceWriteBps", rate, ".Path", ".Rate"),
  ...each("BlkioDeviceReadIOps", rate, ".Path", ".Rate"),
  ...each("BlkioDeviceWriteIOps", rate, ".Path", ".Rate"),
  CpuRealtimePeriod: change("CpuRealtimePeriod", 1_000_000),
  CpuRealtimeRuntime: change("CpuRealtimeRuntime", 950_000),
  ...each("Devices", devices, ".PathOnHost", ".PathInContainer", ".CgroupPermissions"),
  ...each("DeviceCgroupRules", ["c 1:1 r"], ""),
  ...each("DeviceRequests", gpus, ".Driver", ".Count", ".DeviceIDs[]", ".Capabilities[][]", ".Options.*"),
  KernelMemoryTCP: change("KernelMemoryTCP", 64 << 20),
  MemorySwappiness: change("MemorySwappiness", 10),
  OomKillDisable: change("OomKillDisable", true),
  Init: change("Init", true),
  ...each("Ulimits", ulimits, ".Name", ".Soft", ".Hard"),
  CpuCount: change("CpuCount", 1),
  CpuPercent: change("CpuPercent", 50),
  IOMaximumIOps: change("IOMaximumIOps", 1000),
  IOMaximumBandwidth: change("IOMaximumBandwidth", 1 << 20),
};

const cluster = (value: unknown): Refusal => ({
  reason: "of swarm",
  body: { Name: "values-refused", ClusterVolumeSpec: value },
  names: "ClusterVolumeSpec",
});
const mode = (fields: object): Refusal => cluster({ AccessMode: fields });
const zones = [{ Segments: { zone: "a" } }];

export const volumeRefusals: Readonly<Record<string, Refusal>> = {
  "ClusterVolumeSpec.Group": cluster({ Group: "group" }),
  "ClusterVolumeSpec.AccessMode.Scope": mode({ Scope: "single" }),
  "ClusterVolumeSpec.AccessMode.Sharing": mode({ Sharing: "none" }),
  "ClusterVolumeSpec.AccessMode.MountVolume": mode({ MountVolume: {} }),
  "ClusterVolumeSpec.AccessMode.Secrets[].Key": mode({ Secrets: [{ Key: "key" }] }),
  "ClusterVolumeSpec.AccessMode.Secrets[].Secret": mode({ Secrets: [{ Secret: "secret" }] }),
  "ClusterVolumeSpec.AccessMode.AccessibilityRequirements.Requisite[].Segments.*": mode({
    AccessibilityRequirements: { Requisite: zones },
  }),
  "ClusterVolumeSpec.AccessMode.AccessibilityRequirements.Preferred[].Segments.*": mode({
    AccessibilityRequirements: { Preferred: zones },
  }),
  "ClusterVolumeSpec.AccessMode.CapacityRange.RequiredBytes": mode({ CapacityRange: { RequiredBytes: 1 } }),
  "ClusterVolumeSpec.AccessMode.CapacityRange.LimitBytes": mode({ CapacityRange: { LimitBytes: 1 } }),
  "ClusterVolumeSpec.AccessMode.Availability": mode({ Availability: "active" }),
};

const network = (reason: string, names: string, body: object): Refusal => ({
  reason,
  body: { Name: "values-refused", ...body },
  names,
});

export const networkRefusals: Readonly<Record<string, Refusal>> = {
  Ingress: network("of swarm", "Ingress", { Ingress: true }),
  ConfigOnly: network("configurations that other networks copy: docs/status.md", "ConfigOnly", { ConfigOnly: true }),
  "ConfigFrom.Network": network("configurations that other networks copy", "ConfigFrom.Network", {
    ConfigFrom: { Network: "other" },
  }),
};
