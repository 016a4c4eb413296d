/**
 * What was asked for (the body of create) → the OCI specification of the container. Pure: what must be looked up (the user's
 * ids, the machine) comes in.
 */

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
  /** Where the container's own network namespace is found, when it is in a network. */
  readonly sandboxPath: string;
  /** What was asked for, in order. */
  readonly mounts: readonly Mount[];
  /** The nodes that HostConfig.Devices names, looked up. */
  readonly devices: readonly AskedDevice[];
  /** Looks up those that its block I/O limits name. */
  readonly findDevice: FindDevice;
  /** What it takes of other containers. */
  readonly donations?: Donations;
  /** Shared memory that it has with others. */
  readonly shmPath?: string | undefined;
}

export interface AskedDevice {
  readonly device: Device;
  /** Letters of "rwm". */
  readonly access: string;
}

const SHM_SIZE_BYTES = 64 * 1024 * 1024;
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** @throws {OrlopError} bad_value, unknown_field, no_command … : what cannot be given, by the field's name */
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

/** The root's own propagation must let through what a mount in it is to give or take: as runc's callers have it. */
function rootPropagation(mounts: readonly Mount[]): Pick<Linux, "rootfsPropagation"> {
  const has = (...words: string[]) => mounts.some(({ options = [] }) => words.some((word) => options.includes(word)));
  if (has("shared", "rshared")) return { rootfsPropagation: "shared" };
  return has("slave", "rslave") ? { rootfsPropagation: "rslave" } : {};
}

export function shmSizeOf({ ShmSize }: HostConfig): number {
  return ShmSize || SHM_SIZE_BYTES;
}

/** Which signal `stop` sends. @throws {OrlopError} bad_value */
export function stopSignalOf(body: ContainerCreateBody): number {
  return parseSignal(body.StopSignal || "SIGTERM");
}

/** The container's host name: the one asked for, the host's where it has the host's network, else its id's beginning. */
export function hostnameOf({ id, body, machine }: Pick<SpecInput, "id" | "body" | "machine">): string {
  const host = body.HostConfig;
  if (host.UTSMode === "host" && body.Hostname !== "") throw OrlopError.of("uts_excludes_hostname", {});
  if (body.Hostname !== "") return body.Hostname;
  return host.NetworkMode === "host" || host.UTSMode === "host" ? machine.hostname : id.slice(0, 12);
}

/** `--entrypoint ""` takes the image's away. A command "" is one that is not found. */
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

/** Docker's order: what every container has, then what was asked for, in place where it replaces. */
function environmentOf(input: SpecInput): string[] {
  const { body, user } = input;
  const variables = new Map<string, string>([
    ["PATH", DEFAULT_PATH],
    ["HOSTNAME", hostnameOf(input)],
    ...(body.Tty ? [["TERM", "xterm"] as const] : []),
  ]);
  for (const entry of [...(input.donations?.environment ?? []), ...body.Env]) {
    const equals = entry.indexOf("=");
    // A name alone takes the variable away; it never reads the host's (posture rule 5).
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

/** With the host's IPC namespace its shared memory is the host's as well. A mount of mqueue shows the namespace's queues by itself. */
function ipcMounts({ body, shmPath }: SpecInput, mounts: readonly Mount[]): Mount[] {
  const mode = body.HostConfig.IpcMode;
  const isShm = ({ destination }: Mount): boolean => destination === "/dev/shm";
  // Docker's word for: an IPC namespace of its own, and no place for shared memory.
  if (mode === "none") return mounts.filter((mount) => !isShm(mount));
  const source = mode === "host" ? "/dev/shm" : shmPath;
  if (source === undefined) return [...mounts];
  const options = ["rbind", "rprivate", ...(mode === "host" ? [] : ["nosuid", "nodev", "noexec"])];
  return mounts.map((mount) => (isShm(mount) ? { destination: "/dev/shm", type: "bind", source, options } : mount));
}

/** Of two nodes at one path the one that was asked for: a privileged container has all of the machine's. */
function nodesOf(defaults: readonly Device[], asked: readonly AskedDevice[]): Device[] {
  const nodes = [...defaults, ...asked.map(({ device }) => device)];
  return [...new Map(nodes.map((node) => [node.path, node])).values()];
}

/** Without anything asked for these are the defaults themselves: what was found out about that object is known. */
function deviceRules(defaults: readonly DeviceRule[], { devices, body }: SpecInput): readonly DeviceRule[] {
  const given = body.HostConfig.DeviceCgroupRules.map((rule) => parseDeviceCgroupRule(rule));
  if (devices.length === 0 && given.length === 0) return defaults;
  const nodes = devices.map(({ device, access }) =>
    allow(device.type === "b" ? "b" : "c", device.major, device.minor, access),
  );
  return [...defaults, ...nodes, ...given.map(({ type, major, minor, access }) => allow(type, major, minor, access))];
}

/** An undefined number means every one. */
function allow(
  type: "a" | "b" | "c",
  major: number | undefined,
  minor: number | undefined,
  access: string,
): DeviceRule {
  const numbers = { ...(major === undefined ? {} : { major }), ...(minor === undefined ? {} : { minor }) };
  return { allow: true, type, ...numbers, access };
}
