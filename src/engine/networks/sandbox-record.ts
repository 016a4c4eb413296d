/** The record of a running container's network, in its run directory, so that the next engine can take it over. */

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { PortProtocol } from "../../spec/engine-api-network.ts";

export interface SandboxRecord {
  /** As `newSandboxId` makes it. */
  readonly id: string;
  readonly endpoints: readonly EndpointRecord[];
  /** The number of the next endpoint. */
  readonly nextNumber: number;
  readonly ports: readonly PublishedPort[];
  /** The process that keeps the namespace alive; undefined while a mount does (`namespace-holder.ts`). */
  readonly holder?: NamespaceHolder;
  /** The port of the embedded resolver in the namespace; undefined without one. */
  readonly resolverPort?: number;
}

/** The container's first process, identified by pid and start time, and the inode of its network namespace. */
export interface NamespaceHolder {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat. */
  readonly startTicks: number;
  readonly inode: number;
}

/** A container's endpoint in one network. */
export interface EndpointRecord {
  readonly networkId: string;
  readonly networkName: string;
  /** Docker's endpoint id, which is shown only. */
  readonly id: string;
  /** 0, 1, …, from which the link's interface index in the namespace is derived. */
  readonly number: number;
  /** The link's name in the container; undefined: eth and the number (written by older engines). */
  readonly linkName?: string;
  readonly mac: string;
  /** With prefix: "10.0.0.2/16". */
  readonly addresses: readonly string[];
  /** The network's gateways; none for internal networks. */
  readonly gateways: readonly string[];
  /** The endpoint with the highest one has the default route; among equals the network whose name comes first. */
  readonly priority: number;
  /** The host's end of the veth pair; "" for none. */
  readonly portName: string;
  /** The container's further names in this network. */
  readonly aliases: readonly string[];
}

export interface PublishedPort {
  readonly protocol: PortProtocol;
  readonly containerPort: number;
  /** "0.0.0.0" and "::" are all addresses of their version. */
  readonly hostAddress: string;
  readonly hostPort: number;
}

const fileOf = (runDir: string): string => `${runDir}/network.json`;

/** Written atomically (by rename): half a record would hide a running container's network from the next engine. */
export function writeSandbox(runDir: string, record: SandboxRecord): void {
  const path = fileOf(runDir);
  const written = { ...record, ports: runsOf(record.ports) };
  writeFileSync(`${path}.new`, JSON.stringify(written), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** undefined if there is none, or an incomplete one (older engines did not write atomically). */
export function readSandbox(runDir: string): SandboxRecord | undefined {
  const path = fileOf(runDir);
  if (!existsSync(path)) return undefined; // checked first because many have none, and an exception costs ten times as much
  try {
    const written = JSON.parse(readFileSync(path, "utf8")) as WrittenRecord;
    return { ...written, ports: written.ports.flatMap(portsOf) };
  } catch {
    return undefined;
  }
}

/** Consecutive ports of one address, which lead to consecutive ports of the container: the first, and how many. */
export interface PortRun extends PublishedPort {
  readonly count: number;
}

type WrittenRecord = Omit<SandboxRecord, "ports"> & { readonly ports: readonly PortRun[] };

/** Joins consecutive ports into runs: a range of a thousand ports is one run for each address. */
export function runsOf(ports: readonly PublishedPort[]): PortRun[] {
  const byAddress = Map.groupBy(ports, ({ protocol, hostAddress }) => `${protocol} ${hostAddress}`);
  return [...byAddress.values()].flatMap((own) => {
    const runs: { from: PublishedPort; count: number }[] = [];
    for (const port of own.toSorted((one, other) => one.hostPort - other.hostPort)) {
      const run = runs.at(-1);
      if (run !== undefined && follows(run.from, run.count, port)) run.count++;
      else runs.push({ from: port, count: 1 });
    }
    return runs.map(({ from, count }) => ({ ...from, count }));
  });
}

function follows(from: PublishedPort, count: number, port: PublishedPort): boolean {
  return port.hostPort === from.hostPort + count && port.containerPort === from.containerPort + count;
}

/** A record without a count (written by older engines) is a single port. */
function portsOf({ count = 1, ...from }: Partial<Pick<PortRun, "count">> & PublishedPort): PublishedPort[] {
  return Array.from({ length: count }, (_, index) => ({
    ...from,
    hostPort: from.hostPort + index,
    containerPort: from.containerPort + index,
  }));
}

export function linkNameOf({ linkName, number }: Pick<EndpointRecord, "linkName" | "number">): string {
  return linkName ?? `eth${number}`;
}

/** The endpoint with the default route of an IP version; undefined: none. */
export function leadingEndpoint(record: SandboxRecord, version: 4 | 6): EndpointRecord | undefined {
  const mark = version === 4 ? "." : ":";
  return record.endpoints
    .filter(({ gateways }) => gateways.some((gateway) => gateway.includes(mark)))
    .toSorted((one, other) => other.priority - one.priority || (one.networkName < other.networkName ? -1 : 1))[0];
}

/** The endpoint's address of an IP version, without prefix; "": none. */
export function addressOf({ addresses }: Pick<EndpointRecord, "addresses">, version: 4 | 6): string {
  const mark = version === 4 ? "." : ":";
  return addresses.find((address) => address.includes(mark))?.split("/")[0] ?? "";
}
