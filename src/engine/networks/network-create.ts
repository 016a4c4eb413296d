/** From a network's create body to its record: checks it, and chooses subnets and gateways. */

import { OrlopError } from "../../base/errors.ts";
import { newContainerId } from "../../base/id.ts";
import {
  contains,
  firstOf,
  formatAddress,
  formatSubnet,
  type IpAddress,
  overlaps,
  parseAddress,
  parseSubnet,
  type Subnet,
  sizeOf,
} from "../../base/ip-address.ts";
import { bridgeNameOf, type LinkNames } from "../../network/link-names.ts";
import { chooseSubnet4, chooseSubnet6 } from "../../network/subnets.ts";
import type { NetworkCreateBody, PoolRequest } from "../../spec/engine-api-network.ts";
import { bridgeOptionsOf, parentOptionsOf } from "./network-options.ts";
import type { NetworkRecord, SubnetRecord } from "./network-record.ts";

export interface SubnetSurroundings {
  /** Destinations of the host's routes. */
  readonly routes: readonly Subnet[];
  /** The subnets of other networks. */
  readonly networks: readonly Subnet[];
  readonly machineId: string;
  readonly hasIpv6: boolean;
}

export interface NetworkSurroundings extends SubnetSurroundings {
  readonly names: LinkNames;
  /** Names of the host's links. */
  readonly links: readonly string[];
}

/** @throws {OrlopError} the request is wrong */
export function settleNetwork(body: NetworkCreateBody, around: NetworkSurroundings): NetworkRecord {
  const id = newContainerId();
  const driver = driverOf(body);
  const linkName =
    driver === "bridge"
      ? bridgeOptionsOf(body.Options).bridgeName || bridgeNameOf(around.names, id)
      : parentOptionsOf(driver, body.Options).parent;
  const subnets = settleSubnets(body, around);
  if (driver === "bridge") checkRoutes(subnets, around.routes);
  return {
    id,
    name: body.Name,
    createdNs: String(BigInt(Date.now()) * 1_000_000n),
    driver,
    internal: body.Internal,
    attachable: body.Attachable,
    options: body.Options,
    labels: body.Labels,
    ipamOptions: body.IPAM.Options,
    subnets,
    linkName,
  };
}

/** A subnet may lie within the destination of a wider route, but must not hide a route of the same length or longer. @throws {OrlopError} subnet_hides_route */
function checkRoutes(subnets: readonly SubnetRecord[], routes: readonly Subnet[]): void {
  for (const { subnet } of subnets) {
    const own = parsed(subnet);
    const hidden = routes.find((route) => route.prefix >= own.prefix && overlaps(route, own));
    if (hidden !== undefined) throw OrlopError.of("subnet_hides_route", { subnet, route: formatSubnet(hidden) });
  }
}

function driverOf({ Driver }: NetworkCreateBody): "bridge" | "macvlan" | "ipvlan" {
  if (Driver === "bridge" || Driver === "") return "bridge";
  if (Driver === "macvlan" || Driver === "ipvlan") return Driver;
  throw OrlopError.of("no_such_driver", { driver: Driver });
}

/** @throws {OrlopError} subnet_overlaps, no_subnet_left, bad_value */
export function settleSubnets(
  body: Pick<NetworkCreateBody, "IPAM" | "EnableIPv4" | "EnableIPv6">,
  around: SubnetSurroundings,
): SubnetRecord[] {
  const asked = body.IPAM.Config.filter((pool) => pool.Subnet !== "").map(settlePool);
  const bare = body.IPAM.Config.find((pool) => pool.Subnet === "" && (pool.Gateway !== "" || pool.IPRange !== ""));
  if (bare !== undefined)
    throw OrlopError.of("bad_value", {
      what: "IPAM.Config",
      value: bare.Gateway || bare.IPRange,
      expected: "a Subnet with it",
    });
  const taken = [...around.networks];
  for (const { subnet } of asked) {
    if (taken.some((other) => overlaps(other, parsed(subnet)))) throw OrlopError.of("subnet_overlaps", { subnet });
    taken.push(parsed(subnet));
  }
  const has = (version: 4 | 6): boolean => asked.some(({ subnet }) => parsed(subnet).address.version === version);
  if (has(6) && body.EnableIPv6 === false)
    throw OrlopError.of("bad_value", { what: "EnableIPv6", value: "false", expected: "true with a subnet of IPv6" });
  const occupied = [...taken, ...around.routes];
  const chosen: SubnetRecord[] = [];
  if (body.EnableIPv4 && !has(4)) chosen.push(chooseOrFail(chooseSubnet4(occupied), "IPv4"));
  const wantsIpv6 = body.EnableIPv6 ?? (around.hasIpv6 && body.IPAM.Config.length === 0);
  if (wantsIpv6 && !has(6)) chosen.push(chooseOrFail(chooseSubnet6(around.machineId, occupied), "IPv6"));
  return [...asked, ...chosen];
}

function chooseOrFail(subnet: Subnet | undefined, version: string): SubnetRecord {
  if (subnet === undefined) throw OrlopError.of("no_subnet_left", { version });
  return {
    subnet: formatSubnet(subnet),
    range: "",
    gateway: formatAddress(gatewayOf(subnet)),
    auxiliary: {},
    isDefault: true,
  };
}

function settlePool(pool: PoolRequest): SubnetRecord {
  const subnet = parsed(pool.Subnet);
  if (firstOf(subnet).value !== subnet.address.value)
    throw OrlopError.of("bad_value", {
      what: "subnet",
      value: pool.Subnet,
      expected: `no bits behind its prefix, as in ${formatSubnet({ ...subnet, address: firstOf(subnet) })}`,
    });
  if (sizeOf(subnet) < 2n)
    throw OrlopError.of("bad_value", { what: "subnet", value: pool.Subnet, expected: "two addresses or more" });
  const range = pool.IPRange === "" ? undefined : parsed(pool.IPRange);
  if (range !== undefined && !(contains(subnet, firstOf(range)) && range.prefix >= subnet.prefix))
    throw OrlopError.of("bad_value", { what: "IPRange", value: pool.IPRange, expected: `a part of ${pool.Subnet}` });
  const auxiliary = { ...pool.AuxAddress, ...pool.AuxiliaryAddresses };
  const gateway = pool.Gateway === "" ? freeGateway(subnet, Object.values(auxiliary)) : pool.Gateway;
  for (const [what, written] of [["Gateway", gateway], ...Object.entries(auxiliary)] as const) {
    const address = parseAddress(written);
    if (address === undefined || !contains(subnet, address))
      throw OrlopError.of("bad_value", { what, value: written, expected: `an address of ${pool.Subnet}` });
  }
  return { subnet: formatSubnet(subnet), range: pool.IPRange, gateway, auxiliary, isDefault: false };
}

function freeGateway(subnet: Subnet, auxiliary: readonly string[]): string {
  let gateway = gatewayOf(subnet);
  while (auxiliary.includes(formatAddress(gateway))) gateway = { ...gateway, value: gateway.value + 1n };
  return formatAddress(gateway);
}

/** The first host address; in a /31 the first of both. */
function gatewayOf(subnet: Subnet): IpAddress {
  const first = firstOf(subnet);
  return sizeOf(subnet) <= 2n ? first : { ...first, value: first.value + 1n };
}

/** For text that a parser has checked already. @throws {OrlopError} bad_value */
export function parsed(subnet: string): Subnet {
  const value = parseSubnet(subnet);
  if (value === undefined)
    throw OrlopError.of("bad_value", { what: "subnet", value: subnet, expected: "ADDRESS/PREFIX" });
  return value;
}
