/** What is known of a container's network while it runs: in its run directory, so that the next engine goes on with it. */

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { PortProtocol } from "../../spec/engine-api-network.ts";

export interface SandboxRecord {
  /** As `newSandboxId` makes it. */
  readonly id: string;
  readonly endpoints: readonly EndpointRecord[];
  /** Of the next endpoint. */
  readonly nextNumber: number;
  readonly ports: readonly PublishedPort[];
  /** Whose namespace it is by now; undefined: a mount keeps it, as long as nobody is in it or for a moment longer. */
  readonly holder?: NamespaceHolder;
  /** Where the embedded resolver listens inside; undefined without one. */
  readonly resolverPort?: number;
}

/** The container's first process, and no other with its number; and the namespace that it is to be in. */
export interface NamespaceHolder {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat. */
  readonly startTicks: number;
  readonly inode: number;
}

/** What a container has of one network. */
export interface EndpointRecord {
  readonly networkId: string;
  readonly networkName: string;
  /** Docker's; nothing of ours depends on it. */
  readonly id: string;
  /** 0, 1, …: what its number in the namespace is made of. */
  readonly number: number;
  /** In the container; undefined: eth and the number, as engines before this one wrote it. */
  readonly linkName?: string;
  readonly mac: string;
  /** With prefix: "10.0.0.2/16". */
  readonly addresses: readonly string[];
  /** Where its network leads further; none for internal networks. */
  readonly gateways: readonly string[];
  /** The highest leads; then the network whose name comes first. */
  readonly priority: number;
  /** The host's end; "" for none. */
  readonly portName: string;
  /** Names by which the network knows the container, besides its own. */
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

/** By rename: an engine may be killed in the middle, and the next one would know nothing of a container that runs. */
export function writeSandbox(runDir: string, record: SandboxRecord): void {
  const path = fileOf(runDir);
  const written = { ...record, ports: runsOf(record.ports) };
  writeFileSync(`${path}.new`, JSON.stringify(written), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** undefined where there is none, or none that can be read: engines before this one wrote in place. */
export function readSandbox(runDir: string): SandboxRecord | undefined {
  const path = fileOf(runDir);
  if (!existsSync(path)) return undefined; // many have none: an error costs ten times as much
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

/** A range of a thousand ports is one run for each address. */
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

/** Without a count: one port, as engines before this one wrote them. */
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

/** The endpoint that leads to the rest of the world, for each version; undefined where none does. */
export function leadingEndpoint(record: SandboxRecord, version: 4 | 6): EndpointRecord | undefined {
  const mark = version === 4 ? "." : ":";
  return record.endpoints
    .filter(({ gateways }) => gateways.some((gateway) => gateway.includes(mark)))
    .toSorted((one, other) => other.priority - one.priority || (one.networkName < other.networkName ? -1 : 1))[0];
}

/** "10.0.0.2/16" → "10.0.0.2"; of this version, "" for none. */
export function addressOf({ addresses }: Pick<EndpointRecord, "addresses">, version: 4 | 6): string {
  const mark = version === 4 ? "." : ":";
  return addresses.find((address) => address.includes(mark))?.split("/")[0] ?? "";
}
