/** The flags of `run` and `create` → the body of the API's create. Pure but for the files that flags name. */
import { resolve } from "node:path";
import { OrlopError } from "../base/errors.ts";
import type { ContainerCreate, HostConfig } from "../client/container-types.ts";
import type { FlagValues } from "../command/flag.ts";
import type { containerFlags } from "./container-flags.ts";
import { healthcheckOf } from "./health-flags.ts";
import { parseDeviceBytes, parseDeviceCount, parseDeviceWeight } from "./io-flags.ts";
import { environmentOf, linesOf, parseKeyValues, parseOptions, type ReadFile } from "./key-values.ts";
import { changeableLimits, parseUlimit } from "./limit-flags.ts";
import { parseMount } from "./mount-flag.ts";
import { parseDevice, parseTmpfs, parseVolumes } from "./mount-flags.ts";
import { chooseNetworks, type NetworkChoice } from "./network-flags.ts";
import { type PublishedPorts, parsePublished } from "./publish-flags.ts";
import { parseRestartPolicy } from "./restart-flag.ts";

export type ContainerFlags = FlagValues<typeof containerFlags>;

/** What flags may refer to outside themselves. */
export interface Surroundings {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: ReadFile;
}

/** Which streams the command takes part in. */
export interface Streams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/**
 * The streams of `-a` (by default output, and input with `-i`); none when detached.
 *
 * @throws {OrlopError} bad_value, flags_conflict
 */
export function streamsOf(flags: ContainerFlags, detach: boolean): Streams {
  const named = flags.attach.map((name) => name.toLowerCase());
  for (const name of named)
    if (!["stdin", "stdout", "stderr"].includes(name))
      throw OrlopError.of("bad_value", { what: "--attach", value: name, expected: "stdin, stdout or stderr" });
  if (detach && named.length > 0) throw OrlopError.of("flags_conflict", { first: "--attach", second: "--detach" });
  if (detach) return { stdin: false, stdout: false, stderr: false };
  if (named.length === 0) return { stdin: flags.interactive, stdout: true, stderr: true };
  return { stdin: named.includes("stdin"), stdout: named.includes("stdout"), stderr: named.includes("stderr") };
}

/** The create body. @throws {OrlopError} what is wrong with which flag */
export function containerConfig(
  flags: ContainerFlags,
  args: readonly string[],
  streams: Streams,
  around: Surroundings,
): ContainerCreate {
  const command = flags.rootfs === undefined ? args.slice(1) : args;
  const volumes = parseVolumes(flags.volume, around.cwd, around.env["HOME"] ?? "/");
  const networks = chooseNetworks(flags);
  const published = parsePublished(flags.publish, flags.expose);
  const labels = [...flags.labelFile.flatMap((path) => linesOf(around.readFile(path, "--label-file"))), ...flags.label];
  return defined({
    Image: flags.rootfs === undefined ? imageOf(args) : undefined,
    Cmd: command.length === 0 ? undefined : command,
    Entrypoint: flags.entrypoint === undefined ? undefined : [flags.entrypoint],
    Env: environmentOf(flags, around.env, around.readFile),
    Hostname: flags.hostname,
    Domainname: flags.domainname,
    User: flags.user,
    WorkingDir: flags.workdir,
    Labels: parseKeyValues(labels, "--label"),
    Volumes: volumes.anonymous,
    Tty: flags.tty,
    AttachStdin: streams.stdin,
    AttachStdout: streams.stdout,
    AttachStderr: streams.stderr,
    OpenStdin: flags.interactive,
    StdinOnce: flags.interactive && streams.stdin,
    StopSignal: flags.stopSignal,
    StopTimeout: flags.stopTimeout,
    Healthcheck: healthcheckOf(flags),
    ExposedPorts: published.exposed,
    HostConfig: hostConfig(flags, volumes.binds, around, { networks, published }),
    NetworkingConfig:
      Object.keys(networks.endpoints).length === 0 ? undefined : { EndpointsConfig: networks.endpoints },
  });
}

function imageOf(args: readonly string[]): string {
  const image = args[0];
  if (image === undefined) throw OrlopError.of("image_needed", {});
  return image;
}

interface NetworkParts {
  readonly networks: NetworkChoice;
  readonly published: PublishedPorts;
}

function hostConfig(
  flags: ContainerFlags,
  binds: readonly string[],
  around: Surroundings,
  { networks, published }: NetworkParts,
): HostConfig {
  const fields = defined({
    Rootfs: flags.rootfs === undefined ? undefined : resolve(around.cwd, flags.rootfs),
    AutoRemove: flags.rm,
    Binds: binds,
    Mounts: flags.mount.map((text) => parseMount(text, around.cwd)),
    Tmpfs: parseTmpfs(flags.tmpfs),
    VolumesFrom: flags.volumesFrom,
    VolumeDriver: flags.volumeDriver,
    Privileged: flags.privileged,
    ReadonlyRootfs: flags.readOnly,
    CapAdd: flags.capAdd,
    CapDrop: flags.capDrop,
    GroupAdd: flags.groupAdd,
    SecurityOpt: securityOptions(flags.securityOpt, around.readFile),
    NetworkMode: networks.mode,
    PortBindings: published.bindings,
    PublishAllPorts: flags.publishAll,
    Links: networks.links,
    Dns: flags.dns,
    DnsSearch: flags.dnsSearch,
    DnsOptions: [...flags.dnsOption, ...flags.dnsOpt],
    IpcMode: flags.ipc,
    PidMode: flags.pid,
    UTSMode: flags.uts,
    UsernsMode: flags.userns,
    Isolation: flags.isolation,
    Runtime: flags.runtime,
    CgroupnsMode: flags.cgroupns,
    RestartPolicy: flags.restart === undefined ? undefined : parseRestartPolicy(flags.restart),
    Init: flags.init ? true : undefined,
    CgroupParent: flags.cgroupParent,
    LogConfig: logConfig(flags),
    ...limits(flags),
    Sysctls: parseOptions(flags.sysctl, "--sysctl"),
    ShmSize: flags.shmSize,
    Devices: flags.device.map(parseDevice),
    ExtraHosts: flags.addHost,
    Annotations: parseKeyValues(flags.annotation, "--annotation"),
  });
  // As Docker's CLI does it: the engine is told to hide nothing. Empty lists mean that here, so `defined` must not see them.
  return flags.securityOpt.includes(hideNothing) ? { ...fields, MaskedPaths: [], ReadonlyPaths: [] } : fields;
}

const hideNothing = "systempaths=unconfined";

function limits(flags: ContainerFlags): HostConfig {
  return defined({
    ...changeableLimits(flags),
    Ulimits: flags.ulimit.map(parseUlimit),
    OomScoreAdj: flags.oomScoreAdj,
    OomKillDisable: flags.oomKillDisable,
    MemorySwappiness: flags.memorySwappiness,
    BlkioWeightDevice: flags.blkioWeightDevice.map((text) => parseDeviceWeight(text, "--blkio-weight-device")),
    BlkioDeviceReadBps: flags.deviceReadBps.map((text) => parseDeviceBytes(text, "--device-read-bps")),
    BlkioDeviceWriteBps: flags.deviceWriteBps.map((text) => parseDeviceBytes(text, "--device-write-bps")),
    BlkioDeviceReadIOps: flags.deviceReadIops.map((text) => parseDeviceCount(text, "--device-read-iops")),
    BlkioDeviceWriteIOps: flags.deviceWriteIops.map((text) => parseDeviceCount(text, "--device-write-iops")),
    DeviceCgroupRules: flags.deviceCgroupRule,
  });
}

function logConfig(flags: ContainerFlags): HostConfig["LogConfig"] {
  const options = parseOptions(flags.logOpt, "--log-opt");
  if (flags.logDriver === undefined && flags.logOpt.length === 0) return undefined;
  return { Type: flags.logDriver ?? "", Config: options };
}

/** A seccomp profile's file is read here: the engine may not see it. */
function securityOptions(options: readonly string[], readFile: ReadFile): string[] {
  const sent = options.filter((option) => option !== hideNothing);
  return sent.map((option) => {
    const file = /^seccomp[=:](.*)$/.exec(option)?.[1];
    if (file === undefined || file === "unconfined" || file === "builtin") return option;
    return `seccomp=${compactJson(readFile(file, "--security-opt seccomp"), option)}`;
  });
}

function compactJson(text: string, option: string): string {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw OrlopError.of(
      "bad_value",
      { what: "--security-opt", value: option, expected: `a JSON file (${reason})` },
      error,
    );
  }
}

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Without what says nothing: undefined, and empty lists and tables, which is what the API takes missing fields for. */
function defined<T extends Readonly<Record<string, unknown>>>(fields: T): Defined<T> {
  const kept = Object.entries(fields).filter(([, value]) => !isNothing(value));
  return Object.fromEntries(kept) as Defined<T>;
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === false) return true;
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
