/** `container:X` as NetworkMode, IpcMode or PidMode: whose namespaces a container joins, and what comes with them. */

import { OrlopError } from "../../base/errors.ts";
import type { NamespaceTarget } from "../../runtime/plan-namespaces.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { HostConfig } from "../../spec/engine-api-host-config.ts";
import type { NamespaceType } from "../../spec/runtime-spec.ts";
import { readText } from "../machine.ts";
import type { Container } from "./container.ts";
import { mustAct } from "./container-state.ts";

const fields = { network: "NetworkMode", ipc: "IpcMode", pid: "PidMode" } as const satisfies Partial<
  Record<NamespaceType, keyof HostConfig>
>;

export type SharedKind = keyof typeof fields;

const kinds = Object.keys(fields) as SharedKind[];
/** In messages, as in Docker. */
const names: Readonly<Record<SharedKind, string>> = { network: "network", ipc: "IPC", pid: "PID" };
const PREFIX = "container:";

/** The container that this one joins, as the request names it; undefined: none. */
function donorNameOf(host: HostConfig, kind: SharedKind): string | undefined {
  const mode = host[fields[kind]];
  return mode.startsWith(PREFIX) ? mode.slice(PREFIX.length) : undefined;
}

function sharesAny({ HostConfig }: Pick<ContainerCreateBody, "HostConfig">): boolean {
  return kinds.some((kind) => donorNameOf(HostConfig, kind) !== undefined);
}

/** Whether a start depends on the state of other containers: those that it joins or has links to. */
export function dependsOnOthers(body: Pick<ContainerCreateBody, "HostConfig">): boolean {
  return sharesAny(body) || body.HostConfig.Links.length > 0;
}

/** The containers that must run before this one can start, as the request names them. */
export function neededBy({ HostConfig }: Pick<ContainerCreateBody, "HostConfig">): string[] {
  const donors = kinds.flatMap((kind) => donorNameOf(HostConfig, kind) ?? []);
  return [...donors, ...HostConfig.Links.map((link) => link.split(":")[0] ?? "")];
}

/**
 * Replaces names by ids, which stay right when a container is renamed. A container whose network is to be joined may be created later,
 * like any network.
 *
 * @throws {OrlopError} no_donor, ambiguous_id
 */
export function resolveDonors(body: ContainerCreateBody, find: (reference: string) => Container): ContainerCreateBody {
  if (!sharesAny(body)) return body;
  const resolved = kinds.flatMap((kind) => {
    const name = donorNameOf(body.HostConfig, kind);
    if (name === undefined) return [];
    try {
      return [[fields[kind], `${PREFIX}${donor(name, kind, find).id}`] as const];
    } catch (error) {
      if (kind === "network" && error instanceof OrlopError && error.code === "no_donor") return [];
      throw error;
    }
  });
  return { ...body, HostConfig: { ...body.HostConfig, ...Object.fromEntries(resolved) } };
}

/** What a container takes from those that it joins or has links to. */
export interface Donations {
  readonly targets: readonly NamespaceTarget[];
  /** From the container whose network it joins: the host name, and the directory of /etc/hosts and the like. */
  readonly network?: { readonly hostname: string; readonly domainname: string; readonly files: string };
  /** The shared memory of the container whose IPC namespace it joins, as a path of the host. */
  readonly shmPath?: string;
  /** Environment variables for links. */
  readonly environment?: readonly string[];
}

export const noDonations: Donations = { targets: [] };

/**
 * Looks up what the container takes from those that it joins.
 *
 * @throws {OrlopError} no_donor; donor_not_running, container_restarting: a container can be joined while it runs only;
 *   donor_not_shareable
 */
export function donationsFor(
  body: ContainerCreateBody,
  find: (reference: string) => Container,
  hostnameOf: (donor: Container) => string,
): Donations {
  const host = body.HostConfig;
  const donors = kinds.flatMap((kind) => {
    const name = donorNameOf(host, kind);
    return name === undefined ? [] : [{ kind, donor: checked(donor(name, kind, find), kind) }];
  });
  const of = (kind: SharedKind) => donors.find((one) => one.kind === kind)?.donor;
  const [network, ipc] = [of("network"), of("ipc")];
  return {
    targets: donors.map(({ kind, donor }) => ({
      type: kind,
      pid: donor.run.pid,
      startTicks: startTicksOf(donor, kind),
    })),
    ...(network && {
      network: { hostname: hostnameOf(network), domainname: network.body.Domainname, files: network.places.files },
    }),
    ...(ipc && { shmPath: ipc.places.shm }),
  };
}

function donor(name: string, kind: SharedKind, find: (reference: string) => Container): Container {
  try {
    return find(name);
  } catch (error) {
    if (error instanceof OrlopError && error.code === "no_such_container")
      throw OrlopError.of("no_donor", { what: names[kind], id: name }, error);
    throw error;
  }
}

function checked(donor: Container, kind: SharedKind): Container {
  const { id, name } = donor;
  if (donor.status === "restarting") mustAct("exec", donor.status, donor);
  if (!donor.isRunning) throw OrlopError.of("donor_not_running", { what: names[kind], id });
  if (kind === "ipc" && donor.body.HostConfig.IpcMode !== "shareable")
    throw OrlopError.of("donor_not_shareable", { id: name });
  return donor;
}

/** Field 22 of /proc/PID/stat, which distinguishes a process from a later one with the same pid. */
export function readStartTicks(pid: number): number | undefined {
  const text = readText(`/proc/${pid}/stat`);
  const ticks = Number(text?.slice(text.lastIndexOf(")") + 2).split(" ")[19]);
  return Number.isSafeInteger(ticks) ? ticks : undefined;
}

function startTicksOf(donor: Container, kind: SharedKind): number {
  const ticks = readStartTicks(donor.run.pid);
  if (ticks === undefined) throw OrlopError.of("donor_not_running", { what: names[kind], id: donor.id });
  return ticks;
}
