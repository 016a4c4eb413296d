/** From the create body to the container's OCI runtime specification. Pure: what must be looked up (user ids, devices) is passed in. */

import { OrlopError } from "../../base/errors.ts";
import { parseSignal } from "../../kernel/signals.ts";
import { type DefaultSpecInput, defaultSpec } from "../../runtime/default-spec.ts";
import { targetPath } from "../../runtime/plan-namespaces.ts";
import type { ResolvedUser } from "../../runtime/user.ts";
import { parseDeviceCgroupRule } from "../../spec/device-cgroup-rule.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { HostConfig } from "../../spec/engine-api-host-config.ts";
import type { Device, DeviceRule, Linux, Mount, Process, RuntimeSpec } from "../../spec/runtime-spec.ts";
import type { Machine } from "../machine.ts";
import { withMounts } from "../mounts/spec-mounts.ts";
import { networkModeOf } from "../networks/network-mode.ts";
import { groupParentOf } from "./container-record.ts";
import { type Donations, noDonations } from "./sharing.ts";
import type { FindDevice } from "./spec-block-io.ts";
import { limitsOf, rlimitsOf } from "./spec-limits.ts";
import { protectedPathsOf, type Security, securityOf } from "./spec-security.ts";

export interface SpecInput {
  readonly id: string;
  readonly body: ContainerCreateBody;
  readonly user: ResolvedUser;
  readonly machine: Machine;
  /** The path of the container's own network namespace, for one that is in networks. */
  readonly sandboxPath: string;
  /** The mounts of the request, in order. */
  readonly mounts: readonly Mount[];
  /** HostConfig.Devices, looked up. */
  readonly devices: readonly AskedDevice[];
  /** Looks up the devices of block I/O limits. */
  readonly findDevice: FindDevice;
  /** What the container takes from containers that it joins. */
  readonly donations?: Donations;
  /** The shared memory that it shares with other containers, as a path of the host. */
  readonly shmPath?: string | undefined;
}

export interface AskedDevice {
  readonly device: Device;
  /** Letters of "rwm". */
  readonly access: string;
}

const SHM_SIZE_BYTES = 64 * 1024 * 1024;
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** @throws {OrlopError} bad_value, unknown_field, no_command …, with the name of the field */
export function containerSpec(input: SpecInput): RuntimeSpec {
  const { body, machine, user } = input;
  const host = body.HostConfig;
  const security = securityOf(host, user.uid, machine);
  const base = defaultSpec({
    process: processOf(input, security),
    hostname: hostnameOf(input),
    privileged: host.Privileged,
    readonlyRoot: host.ReadonlyRootfs,
    shmSizeBytes: shmSizeOf(host),
    namespaces: sharedNamespaces(input),
    ownsNetwork: networkModeOf(body).kind === "network",
    machine: machine.facts,
  });
  const linux = base.linux ?? {};
  return {
    ...base,
    ...(body.Domainname === "" ? {} : { domainname: body.Domainname }),
    annotations: host.Annotations,
    mounts: withMounts(ipcMounts(input, base.mounts ?? []), input.mounts),
    linux: {
      ...linux,
      ...protectedPathsOf(host, linux, security.openPaths),
      devices: nodesOf(linux.devices ?? [], input.devices),
      resources: {
        ...limitsOf(host, machine, input.findDevice),
        devices: deviceRules(linux.resources?.devices ?? [], input),
      },
      sysctl: { ...linux.sysctl, ...host.Sysctls },
      ...rootPropagation(input.mounts),
      cgroupsPath: `${groupParentOf(host)}/${input.id}`,
      ...(security.seccomp === undefined ? {} : { seccomp: security.seccomp }),
    },
  };
}

/** A mount with propagation needs a root whose propagation allows it: containerd and dockerd set the same. */
function rootPropagation(mounts: readonly Mount[]): Pick<Linux, "rootfsPropagation"> {
  const has = (...words: string[]) => mounts.some(({ options = [] }) => words.some((word) => options.includes(word)));
  if (has("shared", "rshared")) return { rootfsPropagation: "shared" };
  return has("slave", "rslave") ? { rootfsPropagation: "rslave" } : {};
}

export function shmSizeOf({ ShmSize }: HostConfig): number {
  return ShmSize || SHM_SIZE_BYTES;
}

/** The signal that `stop` sends. @throws {OrlopError} bad_value */
export function stopSignalOf(body: ContainerCreateBody): number {
  return parseSignal(body.StopSignal || "SIGTERM");
}

/** The one asked for; else the host's, with the host's network or UTS namespace; else the first 12 digits of the id. */
export function hostnameOf({ id, body, machine }: Pick<SpecInput, "id" | "body" | "machine">): string {
  const host = body.HostConfig;
  if (host.UTSMode === "host" && body.Hostname !== "") throw OrlopError.of("uts_excludes_hostname", {});
  if (body.Hostname !== "") return body.Hostname;
  return host.NetworkMode === "host" || host.UTSMode === "host" ? machine.hostname : id.slice(0, 12);
}

/** `--entrypoint ""` removes the image's entrypoint. An empty command, in contrast, is a command that is not found. */
function isNone(entrypoint: readonly string[] | null): boolean {
  return entrypoint?.length === 1 && entrypoint[0] === "";
}

function processOf(input: SpecInput, security: Security): Process {
  const { body, user } = input;
  const args = [...(isNone(body.Entrypoint) ? [] : (body.Entrypoint ?? [])), ...(body.Cmd ?? [])];
  if (args.length === 0) throw OrlopError.of("no_command", {});
  const [height, width] = body.HostConfig.ConsoleSize;
  return {
    terminal: body.Tty,
    ...(body.Tty ? { consoleSize: { height, width } } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args,
    env: environmentOf(input),
    cwd: body.WorkingDir || "/",
    capabilities: security.capabilities,
    rlimits: rlimitsOf(body.HostConfig),
    noNewPrivileges: security.noNewPrivileges,
    oomScoreAdj: body.HostConfig.OomScoreAdj,
  };
}

/** In Docker's order: the defaults, then the variables of the request; one that replaces a default takes its place. */
function environmentOf(input: SpecInput): string[] {
  const { body, user } = input;
  const variables = new Map<string, string>([
    ["PATH", DEFAULT_PATH],
    ["HOSTNAME", hostnameOf(input)],
    ...(body.Tty ? [["TERM", "xterm"] as const] : []),
  ]);
  for (const entry of [...(input.donations?.environment ?? []), ...body.Env]) {
    const equals = entry.indexOf("=");
    // A name without "=" removes the variable; it never takes the engine's own value, which may be a secret.
    if (equals < 0) variables.delete(entry);
    else variables.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  if (!variables.has("HOME")) variables.set("HOME", user.home);
  return [...variables].map(([name, value]) => `${name}=${value}`);
}

function sharedNamespaces({ body, sandboxPath, donations = noDonations }: SpecInput): DefaultSpecInput["namespaces"] {
  const host = body.HostConfig;
  const mode = networkModeOf(body);
  return {
    ...(mode.kind === "host" ? { network: "host" } : {}),
    ...(mode.kind === "namespace" ? { network: { path: mode.path } } : {}),
    ...(mode.kind === "network" ? { network: { path: sandboxPath } } : {}),
    ...(host.IpcMode === "host" ? { ipc: "host" } : {}),
    ...(host.PidMode === "host" ? { pid: "host" } : {}),
    ...Object.fromEntries(donations.targets.map((target) => [target.type, { path: targetPath(target) }])),
    ...(host.UTSMode === "host" ? { uts: "host" } : {}),
    ...(host.CgroupnsMode === "host" ? { cgroup: "host" } : {}),
  };
}

/** The host's IPC namespace comes with the host's /dev/shm. The mqueue mount needs no change: it shows the queues of the namespace. */
function ipcMounts({ body, shmPath }: SpecInput, mounts: readonly Mount[]): Mount[] {
  const mode = body.HostConfig.IpcMode;
  const isShm = ({ destination }: Mount): boolean => destination === "/dev/shm";
  // In Docker, `none` means an IPC namespace of its own without a /dev/shm.
  if (mode === "none") return mounts.filter((mount) => !isShm(mount));
  const source = mode === "host" ? "/dev/shm" : shmPath;
  if (source === undefined) return [...mounts];
  const options = ["rbind", "rprivate", ...(mode === "host" ? [] : ["nosuid", "nodev", "noexec"])];
  return mounts.map((mount) => (isShm(mount) ? { destination: "/dev/shm", type: "bind", source, options } : mount));
}

/** A node of the request replaces a default one at the same path (a privileged container has all of the machine's). */
function nodesOf(defaults: readonly Device[], asked: readonly AskedDevice[]): Device[] {
  const nodes = [...defaults, ...asked.map(({ device }) => device)];
  return [...new Map(nodes.map((node) => [node.path, node])).values()];
}

/** The array `defaults` itself if nothing was asked for: the check of device rules is cached by that object (`devices-v1-check.ts`). */
function deviceRules(defaults: readonly DeviceRule[], { devices, body }: SpecInput): readonly DeviceRule[] {
  const given = body.HostConfig.DeviceCgroupRules.map((rule) => parseDeviceCgroupRule(rule));
  if (devices.length === 0 && given.length === 0) return defaults;
  const nodes = devices.map(({ device, access }) =>
    allow(device.type === "b" ? "b" : "c", device.major, device.minor, access),
  );
  return [...defaults, ...nodes, ...given.map(({ type, major, minor, access }) => allow(type, major, minor, access))];
}

/** @param major undefined: all. @param minor undefined: all */
function allow(
  type: "a" | "b" | "c",
  major: number | undefined,
  minor: number | undefined,
  access: string,
): DeviceRule {
  const numbers = { ...(major === undefined ? {} : { major }), ...(minor === undefined ? {} : { minor }) };
  return { allow: true, type, ...numbers, access };
}
