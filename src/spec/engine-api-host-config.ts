/** HostConfig of the Engine API: what the host gives a container. Each field is carried out or refused by name. */

import { OrlopError } from "../base/errors.ts";
import { deviceCgroupRule } from "./device-cgroup-rule.ts";
import { portBindings } from "./engine-api-network.ts";
import {
  field,
  list,
  oneOf,
  type Read,
  refused,
  shape,
  table,
  text,
  texts,
  truth,
  whole,
  wrong,
} from "./engine-api-read.ts";

/** A field for other kernels than Linux, or one that other fields replaced: only "nothing" is accepted. */
const none = refused;

const logConfig = shape({
  Type: field(oneOf("", "json-file", "local", "none"), ""),
  Config: field(table(text), {}),
});

/** One of these, or another container's. */
function modeOf(...modes: readonly string[]): Read<string> {
  return (value, path) => {
    const mode = text(value, path);
    if (modes.includes(mode) || /^container:./.test(mode)) return mode;
    throw wrong(path, mode, `one of ${modes.map((one) => one || '""').join(", ")}, container:NAME`);
  };
}

const policyNames = ["no", "always", "on-failure", "unless-stopped"] as const;

export const restartPolicy: Read<{
  readonly Name: "" | (typeof policyNames)[number];
  readonly MaximumRetryCount: number;
}> = (value, path) => {
  const policy = shape({ Name: field(text, ""), MaximumRetryCount: field(retryCount, 0) })(value, path);
  const Name = ["", ...policyNames].find((name) => name === policy.Name) as
    | ""
    | (typeof policyNames)[number]
    | undefined;
  if (Name === undefined)
    throw OrlopError.of("bad_restart_policy", {
      reason: `unknown policy '${policy.Name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    });
  if (policy.MaximumRetryCount > 0 && Name !== "on-failure")
    throw OrlopError.of("bad_restart_policy", { reason: "maximum retry count can only be used with 'on-failure'" });
  return { Name, MaximumRetryCount: policy.MaximumRetryCount };
};

const retryCount: Read<number> = (value, path) => {
  if (typeof value === "number" && value < 0)
    throw OrlopError.of("bad_restart_policy", { reason: "maximum retry count cannot be negative" });
  return whole(0)(value, path);
};

const mount = shape({
  Type: field(text, ""),
  Source: field(text, ""),
  Target: field(text, ""),
  ReadOnly: field(truth, false),
  Consistency: field(oneOf("", "consistent", "cached", "delegated", "default"), ""),
  BindOptions: field(
    shape({
      Propagation: field(oneOf("", "rprivate", "private", "rshared", "shared", "rslave", "slave"), ""),
      NonRecursive: field(truth, false),
      CreateMountpoint: field(truth, false),
      ReadOnlyNonRecursive: field(truth, false),
      ReadOnlyForceRecursive: field(truth, false),
    }),
    undefined,
  ),
  VolumeOptions: field(
    shape({
      NoCopy: field(truth, false),
      Labels: field(table(text), null as Readonly<Record<string, string>> | null),
      DriverConfig: field(
        shape({ Name: field(text, ""), Options: field(table(text), null as Readonly<Record<string, string>> | null) }),
        undefined,
      ),
      Subpath: field(text, ""),
    }),
    undefined,
  ),
  TmpfsOptions: field(
    shape({
      SizeBytes: field(whole(0), 0),
      Mode: field(whole(0, 0o7777), 0),
      Options: field(list(texts), [] as readonly (readonly string[])[]),
    }),
    undefined,
  ),
  ImageOptions: field(shape({ Subpath: field(text, "") }), undefined),
  ClusterOptions: refused,
});

export type MountRequest = ReturnType<typeof mount>;

const ulimit = shape({
  Name: field(text, ""),
  Soft: field(whole(-1), 0),
  Hard: field(whole(-1), 0),
});

const device = shape({
  PathOnHost: field(text, ""),
  PathInContainer: field(text, ""),
  CgroupPermissions: field(text, "rwm"),
});

export type DeviceRequest = ReturnType<typeof device>;

const weightDevice = shape({ Path: field(text, ""), Weight: field(whole(0, 1000), 0) });
const throttleDevice = shape({ Path: field(text, ""), Rate: field(whole(0), 0) });

/** Devices by what they can do, which other programs' drivers would have to find (`--gpus`). */
const deviceRequests: Read<undefined> = (value, path) => {
  const request = shape({
    Driver: field(text, ""),
    Count: field(whole(-1), 0),
    DeviceIDs: field(texts, []),
    Capabilities: field(list(texts), []),
    Options: field(table(text), {}),
  });
  const [first] = list(request)(value, path);
  if (first === undefined) return undefined;
  const capabilities = first.Capabilities.map((all) => `[${all.join(" ")}]`).join(" ");
  throw OrlopError.of("no_device_driver", { driver: first.Driver, capabilities });
};

/** -1 is what clients send for "as the kernel has it". */
const swappiness: Read<number> = whole(-1, 100);

export const consoleSize: Read<readonly [rows: number, columns: number]> = (value, path) => {
  const [rows, columns, ...rest] = list(whole(0, 65_535))(value, path);
  if (rows === undefined || columns === undefined || rest.length > 0) throw wrong(path, value, "[rows, columns]");
  return [rows, columns];
};

/** Below 6 MiB the kernel may not even be able to start a program (Docker's limit). */
export const memory: Read<number> = (value, path) => {
  const sizeBytes = whole(0)(value, path);
  if (sizeBytes > 0 && sizeBytes < 6 * 1024 * 1024) {
    const which = path.endsWith("Reservation") ? "reservation" : "limit";
    throw OrlopError.of("bad_limit", {
      ...{ reason: `Minimum memory ${which} allowed is 6MB`, what: path, value: `${sizeBytes} bytes` },
    });
  }
  return sizeBytes;
};

/** The executor, by its name and by Docker's for what it does in its place. */
const runtimes = ["", "orlop", "runc", "io.containerd.runc.v2"] as const;

const runtime: Read<(typeof runtimes)[number]> = (value, path) => {
  const name = text(value, path);
  const known = runtimes.find((one) => one === name);
  if (known === undefined) throw OrlopError.of("unknown_runtime", { name: name.slice(0, 100) });
  return known;
};

export const hostConfig = shape({
  /** Orlop's own: the root is this directory of the host, and no image. */
  Rootfs: field(text, ""),
  AutoRemove: field(truth, false),
  Binds: field(texts, []),
  Mounts: field(list(mount), []),
  Tmpfs: field(table(text), {}),
  VolumesFrom: field(texts, []),
  /** For volumes that have to be made; others than local are refused where one is. */
  VolumeDriver: field(text, ""),
  CapAdd: field(texts, []),
  CapDrop: field(texts, []),
  Privileged: field(truth, false),
  ReadonlyRootfs: field(truth, false),
  SecurityOpt: field(texts, []),
  MaskedPaths: field(texts, null as readonly string[] | null),
  ReadonlyPaths: field(texts, null as readonly string[] | null),
  GroupAdd: field(texts, []),
  // Limits.
  Memory: field(memory, 0),
  MemoryReservation: field(memory, 0),
  MemorySwap: field(whole(-1), 0),
  MemorySwappiness: field(swappiness, undefined as number | undefined),
  OomKillDisable: field(truth, false),
  OomScoreAdj: field(whole(-1000, 1000), 0),
  NanoCpus: field(whole(0), 0),
  CpuShares: field(whole(0), 0),
  CpuPeriod: field(whole(0), 0),
  CpuQuota: field(whole(-1), 0),
  CpusetCpus: field(text, ""),
  CpusetMems: field(text, ""),
  /** 0 and less: without limit. */
  PidsLimit: field(whole(Number.MIN_SAFE_INTEGER), 0),
  BlkioWeight: field(whole(0, 1000), 0),
  BlkioWeightDevice: field(list(weightDevice), []),
  BlkioDeviceReadBps: field(list(throttleDevice), []),
  BlkioDeviceWriteBps: field(list(throttleDevice), []),
  BlkioDeviceReadIOps: field(list(throttleDevice), []),
  BlkioDeviceWriteIOps: field(list(throttleDevice), []),
  DeviceCgroupRules: field(list(deviceCgroupRule), []),
  DeviceRequests: field(deviceRequests, undefined),
  Ulimits: field(list(ulimit), []),
  ShmSize: field(whole(0), 0),
  Sysctls: field(table(text), {}),
  Devices: field(list(device), []),
  // Namespaces.
  /** "default", "bridge", "none", "host", "container:NAME", "ns:PATH", or a network's name or id. */
  NetworkMode: field(text, ""),
  PortBindings: field(portBindings, {}),
  PublishAllPorts: field(truth, false),
  Dns: field(texts, []),
  DnsOptions: field(texts, []),
  DnsSearch: field(texts, []),
  Links: field(texts, []),
  /** "container:NAME" too. */
  IpcMode: field(modeOf("", "private", "shareable", "none", "host"), ""),
  PidMode: field(modeOf("", "private", "host"), ""),
  UTSMode: field(oneOf("", "host"), ""),
  CgroupnsMode: field(oneOf("", "private", "host"), ""),
  UsernsMode: field(oneOf("", "host"), ""),
  Init: field(truth, undefined as boolean | undefined),
  CgroupParent: field(text, ""),
  LogConfig: field(logConfig, { Type: "", Config: {} }),
  ConsoleSize: field(consoleSize, [0, 0] as readonly [number, number]),
  RestartPolicy: field(restartPolicy, { Name: "no" as const, MaximumRetryCount: 0 }),
  ExtraHosts: field(texts, []),
  /** Kept for `inspect`: the client writes the file. */
  ContainerIDFile: field(text, ""),
  Annotations: field(table(text), {}),
  Runtime: field(runtime, ""),
  Isolation: field(oneOf("", "default"), ""),
  // Not carried out.
  Cgroup: none,
  StorageOpt: none,
  CpuRealtimePeriod: none,
  CpuRealtimeRuntime: none,
  KernelMemory: none,
  KernelMemoryTCP: none,
  CpuCount: none,
  CpuPercent: none,
  IOMaximumIOps: none,
  IOMaximumBandwidth: none,
});

export type HostConfig = ReturnType<typeof hostConfig>;

/** When the body has no HostConfig. */
export const hostConfigDefaults: HostConfig = hostConfig({}, "HostConfig");
