/** The options of a network's driver, by Docker's names: each is carried out, or refused by name. */

import { OrlopError } from "../../base/errors.ts";
import { parseAddress } from "../../base/ip-address.ts";
import {
  type IpvlanFlag,
  type IpvlanMode,
  ipvlanFlags,
  ipvlanModes,
  type MacvlanMode,
  macvlanModes,
} from "../../kernel/netlink/link.ts";

export interface BridgeOptions {
  /** "": a name derived from the id. */
  readonly bridgeName: string;
  /** Containers of the network may talk to each other (icc). */
  readonly isOpen: boolean;
  readonly isMasqueraded: boolean;
  /** The host address for published ports that name none; "": all addresses. */
  readonly hostBinding4: string;
  readonly hostBinding6: string;
  /** 0: the kernel's default. */
  readonly mtu: number;
}

const BRIDGE = "com.docker.network.bridge.";
const MTU = "com.docker.network.driver.mtu";
/** Options of the default network, which clients may copy to others. */
const DEFAULT_BRIDGE = `${BRIDGE}default_bridge`;

/** @throws {OrlopError} bad_value, unknown_field */
export function bridgeOptionsOf(options: Readonly<Record<string, string>>): BridgeOptions {
  const known = ["name", "enable_icc", "enable_ip_masquerade", "host_binding_ipv4", "host_binding_ipv6"].map(
    (name) => BRIDGE + name,
  );
  refuseOthers(options, [...known, MTU, DEFAULT_BRIDGE]);
  const bridgeName = options[`${BRIDGE}name`] ?? "";
  if (!/^[a-zA-Z0-9_.-]{0,15}$/.test(bridgeName) || bridgeName === "." || bridgeName === "..")
    throw refuse(`${BRIDGE}name`, bridgeName, "at most 15 letters, digits, _ . -");
  return {
    bridgeName,
    isOpen: truthOf(options, `${BRIDGE}enable_icc`, true),
    isMasqueraded: truthOf(options, `${BRIDGE}enable_ip_masquerade`, true),
    hostBinding4: addressOf(options, `${BRIDGE}host_binding_ipv4`, 4),
    hostBinding6: addressOf(options, `${BRIDGE}host_binding_ipv6`, 6),
    mtu: mtuOf(options),
  };
}

/** Options of macvlan and ipvlan networks, whose containers are on a link of the host. */
export type ParentOptions = { readonly parent: string; readonly mtu: number } & (
  | { readonly kind: "macvlan"; readonly mode: MacvlanMode }
  | { readonly kind: "ipvlan"; readonly mode: IpvlanMode; readonly flag: IpvlanFlag }
);

/** @throws {OrlopError} bad_value, unknown_field */
export function parentOptionsOf<K extends ParentOptions["kind"]>(
  kind: K,
  options: Readonly<Record<string, string>>,
): Extract<ParentOptions, { kind: K }>;
export function parentOptionsOf(kind: ParentOptions["kind"], options: Readonly<Record<string, string>>): ParentOptions {
  refuseOthers(options, ["parent", MTU, ...(kind === "macvlan" ? ["macvlan_mode"] : ["ipvlan_mode", "ipvlan_flag"])]);
  const { parent = "" } = options;
  if (!/^[^/\s]{1,15}$/.test(parent)) throw refuse("parent", parent, "a link of this host, e.g. -o parent=eth0");
  const common = { parent, mtu: mtuOf(options) };
  if (kind === "macvlan") return { kind, ...common, mode: oneOf(options, "macvlan_mode", macvlanModes, "bridge") };
  const mode = oneOf(options, "ipvlan_mode", ipvlanModes, "l2");
  return { kind, ...common, mode, flag: oneOf(options, "ipvlan_flag", ipvlanFlags, "bridge") };
}

function oneOf<T extends string>(
  options: Readonly<Record<string, string>>,
  name: string,
  known: Readonly<Record<T, number>>,
  otherwise: T,
): T {
  const value = options[name] ?? otherwise;
  if (!Object.hasOwn(known, value)) throw refuse(name, value, Object.keys(known).join(", "));
  return value as T;
}

function refuseOthers(options: Readonly<Record<string, string>>, known: readonly string[]): void {
  const other = Object.keys(options).find((name) => !known.includes(name));
  if (other !== undefined) throw OrlopError.of("unknown_field", { field: `the network option ${other}` });
}

function refuse(name: string, value: string, expected: string): OrlopError {
  return OrlopError.of("bad_value", { what: `network option ${name}`, value, expected });
}

function truthOf(options: Readonly<Record<string, string>>, name: string, otherwise: boolean): boolean {
  const value = options[name];
  if (value === undefined) return otherwise;
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw refuse(name, value, "true or false");
}

function addressOf(options: Readonly<Record<string, string>>, name: string, version: 4 | 6): string {
  const value = options[name] ?? "";
  if (value !== "" && parseAddress(value)?.version !== version) throw refuse(name, value, `an IPv${version} address`);
  return value;
}

function mtuOf(options: Readonly<Record<string, string>>): number {
  const value = options[MTU] ?? "0";
  const mtu = Number(value);
  if (!/^\d{1,5}$/.test(value) || (mtu !== 0 && (mtu < 68 || mtu > 65_535))) throw refuse(MTU, value, "68 to 65535");
  return mtu;
}
