/** What is written down of a network, and the three that are always there. */

import { createHash } from "node:crypto";
import type { Row } from "../../store/rows.ts";

export type NetworkDriver = "bridge" | "macvlan" | "ipvlan" | "host" | "null";

export interface NetworkRecord {
  readonly id: string;
  readonly name: string;
  /** Unix time in nanoseconds, decimal. */
  readonly createdNs: string;
  readonly driver: NetworkDriver;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly ipamOptions: Readonly<Record<string, string>>;
  /** Each of its versions has at least one. */
  readonly subnets: readonly SubnetRecord[];
  /** The bridge, or the parent of macvlan and ipvlan; "" for none. */
  readonly linkName: string;
}

/** Addresses as text. */
export interface SubnetRecord {
  readonly subnet: string;
  /** "": the whole subnet. */
  readonly range: string;
  /** "": none, as for macvlan's subnets of IPv6. */
  readonly gateway: string;
  readonly auxiliary: Readonly<Record<string, string>>;
  /** Nobody chose it. */
  readonly isDefault: boolean;
}

export const DEFAULT_NETWORK = "bridge";

/** The same on this machine for ever: containers' records and clients may have noted it. */
export function idOfBuiltIn(name: string, machineId: string): string {
  return createHash("sha256").update(`orlop network ${name} ${machineId}`).digest("hex");
}

/** Networks without anything of their own. */
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

/** Names that no network can take. */
export function isBuiltIn(name: string): boolean {
  return name === DEFAULT_NETWORK || name === "host" || name === "none" || name === "default";
}

export function encodeNetwork(record: NetworkRecord): Row {
  return { kind: "network", id: record.id, name: record.name, record: JSON.stringify(record) };
}

/** Only what `encodeNetwork` wrote is in the database, so its word is taken. */
export function decodeNetwork(row: Row): NetworkRecord {
  return JSON.parse(row.record) as NetworkRecord;
}
