/** The stored record of a network, and the three networks that always exist. */

import { createHash } from "node:crypto";
import type { Row } from "../../store/rows.ts";

export type NetworkDriver = "bridge" | "macvlan" | "ipvlan" | "host" | "null";

export interface NetworkRecord {
  readonly id: string;
  readonly name: string;
  /** Unix time in nanoseconds, as a decimal string. */
  readonly createdNs: string;
  readonly driver: NetworkDriver;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly ipamOptions: Readonly<Record<string, string>>;
  /** At least one for each IP version of the network. */
  readonly subnets: readonly SubnetRecord[];
  /** The bridge, or the parent of macvlan and ipvlan; "" for none. */
  readonly linkName: string;
}

/** Addresses as text. */
export interface SubnetRecord {
  readonly subnet: string;
  /** "": the whole subnet. */
  readonly range: string;
  /** "": none, as for IPv6 subnets of macvlan. */
  readonly gateway: string;
  readonly auxiliary: Readonly<Record<string, string>>;
  /** Chosen by Orlop, not by the request. */
  readonly isDefault: boolean;
}

export const DEFAULT_NETWORK = "bridge";

/** Always the same on one machine, because containers' records and clients may refer to it. */
export function idOfBuiltIn(name: string, machineId: string): string {
  return createHash("sha256").update(`orlop network ${name} ${machineId}`).digest("hex");
}

/** The networks `host` and `none`, which have no bridge and no subnets. */
export function builtInNetworks(machineId: string, createdNs: string): NetworkRecord[] {
  return (["host", "none"] as const).map((name) => ({
    id: idOfBuiltIn(name, machineId),
    name,
    createdNs,
    driver: name === "host" ? "host" : "null",
    internal: false,
    attachable: false,
    options: {},
    labels: {},
    ipamOptions: {},
    subnets: [],
    linkName: "",
  }));
}

/** Names that cannot be given to a network. */
export function isBuiltIn(name: string): boolean {
  return name === DEFAULT_NETWORK || name === "host" || name === "none" || name === "default";
}

export function encodeNetwork(record: NetworkRecord): Row {
  return { kind: "network", id: record.id, name: record.name, record: JSON.stringify(record) };
}

/** Not validated: the database holds only what `encodeNetwork` wrote. */
export function decodeNetwork(row: Row): NetworkRecord {
  return JSON.parse(row.record) as NetworkRecord;
}
