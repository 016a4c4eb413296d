/** What is said about containers over the Engine API: the fields that Orlop's client sends and reads, in Docker's spelling. */

import type { EndpointConfig } from "./network-types.ts";

export interface ContainerCreate {
  readonly Hostname?: string;
  readonly Domainname?: string;
  readonly User?: string;
  readonly AttachStdin?: boolean;
  readonly AttachStdout?: boolean;
  readonly AttachStderr?: boolean;
  readonly Tty?: boolean;
  readonly OpenStdin?: boolean;
  readonly StdinOnce?: boolean;
  readonly Env?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Image?: string;
  readonly Volumes?: Readonly<Record<string, Record<string, never>>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly StopTimeout?: number;
  readonly Healthcheck?: Healthcheck;
  readonly ExposedPorts?: Readonly<Record<string, Record<string, never>>>;
  readonly HostConfig?: HostConfig;
  readonly NetworkingConfig?: { readonly EndpointsConfig: Readonly<Record<string, EndpointConfig>> };
}

export interface DeviceRate {
  readonly Path: string;
  readonly Rate: number;
}

export interface HostConfig {
  /** Orlop's own: the root is this directory, and no image. */
  readonly Rootfs?: string;
  readonly MaskedPaths?: readonly string[];
  readonly ReadonlyPaths?: readonly string[];
  readonly AutoRemove?: boolean;
  readonly Binds?: readonly string[];
  readonly Mounts?: readonly Mount[];
  readonly Tmpfs?: Readonly<Record<string, string>>;
  readonly VolumesFrom?: readonly string[];
  readonly VolumeDriver?: string;
  readonly Privileged?: boolean;
  readonly ReadonlyRootfs?: boolean;
  readonly CapAdd?: readonly string[];
  readonly CapDrop?: readonly string[];
  readonly SecurityOpt?: readonly string[];
  readonly GroupAdd?: readonly string[];
  readonly NetworkMode?: string;
  readonly PortBindings?: Readonly<Record<string, readonly PortBinding[]>>;
  readonly PublishAllPorts?: boolean;
  readonly Dns?: readonly string[];
  readonly DnsOptions?: readonly string[];
  readonly DnsSearch?: readonly string[];
  readonly Links?: readonly string[];
  readonly IpcMode?: string;
  readonly PidMode?: string;
  readonly UTSMode?: string;
  readonly UsernsMode?: string;
  readonly Isolation?: string;
  readonly Runtime?: string;
  readonly CgroupnsMode?: string;
  readonly CgroupParent?: string;
  readonly Init?: boolean;
  readonly RestartPolicy?: { readonly Name: string; readonly MaximumRetryCount: number };
  readonly LogConfig?: { readonly Type: string; readonly Config: Readonly<Record<string, string>> };
  readonly Memory?: number;
  readonly MemorySwap?: number;
  readonly MemoryReservation?: number;
  readonly NanoCpus?: number;
  readonly CpuShares?: number;
  readonly CpuQuota?: number;
  readonly CpuPeriod?: number;
  readonly CpusetCpus?: string;
  readonly CpusetMems?: string;
  readonly PidsLimit?: number;
  readonly OomScoreAdj?: number;
  readonly OomKillDisable?: boolean;
  readonly MemorySwappiness?: number;
  readonly BlkioWeight?: number;
  readonly BlkioWeightDevice?: readonly { readonly Path: string; readonly Weight: number }[];
  readonly BlkioDeviceReadBps?: readonly DeviceRate[];
  readonly BlkioDeviceWriteBps?: readonly DeviceRate[];
  readonly BlkioDeviceReadIOps?: readonly DeviceRate[];
  readonly BlkioDeviceWriteIOps?: readonly DeviceRate[];
  readonly DeviceCgroupRules?: readonly string[];
  readonly ExtraHosts?: readonly string[];
  readonly Annotations?: Readonly<Record<string, string>>;
  readonly ShmSize?: number;
  readonly Ulimits?: readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[];
  readonly Sysctls?: Readonly<Record<string, string>>;
  readonly Devices?: readonly {
    readonly PathOnHost: string;
    readonly PathInContainer: string;
    readonly CgroupPermissions: string;
  }[];
  readonly ConsoleSize?: readonly [rows: number, columns: number];
}

export interface PortBinding {
  readonly HostIp?: string;
  /** "" for any that is free; "8000-8010" for one of these. */
  readonly HostPort?: string;
}

/** Durations in nanoseconds; absent or 0: the image's, or the default. */
export interface Healthcheck {
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly Retries?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
}

export interface Mount {
  readonly Type: string;
  readonly Source?: string;
  readonly Target: string;
  readonly ReadOnly?: boolean;
  readonly Consistency?: string;
  readonly BindOptions?: {
    readonly Propagation?: string;
    readonly NonRecursive?: boolean;
    readonly CreateMountpoint?: boolean;
    readonly ReadOnlyNonRecursive?: boolean;
    readonly ReadOnlyForceRecursive?: boolean;
  };
  readonly VolumeOptions?: {
    readonly NoCopy?: boolean;
    readonly Subpath?: string;
    readonly Labels?: Readonly<Record<string, string>>;
    readonly DriverConfig?: { readonly Name: string; readonly Options: Readonly<Record<string, string>> };
  };
  readonly TmpfsOptions?: {
    readonly SizeBytes?: number;
    readonly Mode?: number;
    readonly Options?: readonly (readonly string[])[];
  };
  readonly ImageOptions?: { readonly Subpath?: string };
}

export interface ContainerCreated {
  readonly Id: string;
  readonly Warnings: readonly string[] | null;
}

export interface ContainerSummary {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly Image: string;
  readonly Command: string;
  /** Unix time in seconds. */
  readonly Created: number;
  readonly State: string;
  /** For people: "Up 5 minutes". */
  readonly Status: string;
  readonly Ports: readonly PortSummary[];
  /** In bytes, where they were asked for. */
  readonly SizeRw?: number;
  readonly SizeRootFs?: number;
  readonly Mounts?: readonly {
    readonly Type: string;
    readonly Name?: string;
    readonly Source: string;
    readonly Driver?: string;
  }[];
  readonly Labels?: Readonly<Record<string, string>>;
  readonly NetworkSettings?: { readonly Networks?: Readonly<Record<string, unknown>> };
}

export interface PortSummary {
  readonly IP?: string;
  readonly PrivatePort: number;
  readonly PublicPort?: number;
  readonly Type: string;
}

/** The part of an inspection that commands act on; `inspect` prints the whole as it came. */
export interface ContainerInspection {
  readonly Id: string;
  readonly Name: string;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly Paused: boolean;
    /** 0 when it does not run. */
    readonly Pid: number;
    readonly ExitCode: number;
  };
  readonly Config: {
    readonly Tty: boolean;
    readonly OpenStdin: boolean;
    readonly AttachStdin: boolean;
  };
  readonly HostConfig: { readonly AutoRemove: boolean; readonly Memory: number };
  readonly NetworkSettings?: {
    readonly Ports?: Readonly<
      Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[] | null>
    > | null;
  };
}

export interface ContainerExit {
  readonly StatusCode: number;
  readonly Error?: { readonly Message: string } | null;
}

/** What `wait` waits for. next-exit: the next one even if it is stopped now. removed: until the container is gone. */
export type WaitCondition = "not-running" | "next-exit" | "removed";

/** What `update` can change; what is left out stays as it is. */
export type ContainerChange = Pick<
  HostConfig,
  | "Memory"
  | "MemorySwap"
  | "MemoryReservation"
  | "NanoCpus"
  | "CpuShares"
  | "CpuPeriod"
  | "CpuQuota"
  | "CpusetCpus"
  | "CpusetMems"
  | "PidsLimit"
  | "BlkioWeight"
>;

export interface ContainersPruned {
  readonly ContainersDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}
