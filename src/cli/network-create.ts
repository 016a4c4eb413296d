/** `orlop network create`. */
import { OrlopError } from "../base/errors.ts";
import { contains, parseAddress, parseSubnet } from "../base/ip-address.ts";
import type { PoolConfig } from "../client/network-types.ts";
import { command } from "./context.ts";
import { parseKeyValues, parseOptions } from "./key-values.ts";

export const networkCreate = command({
  name: "create",
  summary: "Make a network",
  args: "NETWORK",
  flags: {
    driver: { type: "text", short: "d", value: "DRIVER", default: "bridge", help: "bridge, macvlan or ipvlan" },
    subnet: {
      type: "list",
      value: "SUBNET",
      help: "Its addresses, e.g. 10.1.0.0/16; default: a range that is free here",
    },
    gateway: { type: "list", value: "ADDRESS", help: "The host's address in a subnet" },
    ipRange: { type: "list", value: "RANGE", help: "Part of a subnet from which containers get their addresses" },
    auxAddress: { type: "list", value: "NAME=ADDRESS", help: "Give this address to no container" },
    ipv4: { type: "switch", default: true, help: "With IPv4" },
    ipv6: { type: "switch", help: "With IPv6, even where the host has none" },
    noIpv6: { type: "switch", help: "Without IPv6" },
    internal: { type: "switch", help: "Nothing leads into the network or out of it" },
    attachable: { type: "switch", help: "Kept for inspect: any container may be attached" },
    opt: {
      type: "list",
      short: "o",
      value: "KEY=VALUE",
      help: "Option of the driver, e.g. com.docker.network.bridge.enable_icc=false",
    },
    label: { type: "list", value: "KEY=VALUE", help: "Set a label" },
    configFrom: { type: "later", takesValue: true, help: "" },
    configOnly: { type: "later", takesValue: false, help: "" },
    ingress: { type: "later", takesValue: false, help: "" },
    ipamDriver: { type: "later", takesValue: true, help: "" },
    ipamOpt: { type: "later", takesValue: true, help: "" },
    scope: { type: "later", takesValue: true, help: "" },
  },
  inEngine: true,
  examples: ["orlop network create lan", "orlop network create --subnet 10.1.0.0/16 --internal lan"],
  async run({ args, flags, engine, print }) {
    const [Name = ""] = args;
    if (flags.ipv6 && flags.noIpv6) throw OrlopError.of("flags_conflict", { first: "--ipv6", second: "--no-ipv6" });
    const { Id } = await engine.networks.create({
      Name,
      Driver: flags.driver,
      Internal: flags.internal,
      Attachable: flags.attachable,
      EnableIPv4: flags.ipv4,
      ...(flags.ipv6 ? { EnableIPv6: true } : flags.noIpv6 ? { EnableIPv6: false } : {}),
      Options: parseOptions(flags.opt, "--opt"),
      Labels: parseKeyValues(flags.label, "--label"),
      IPAM: { Config: poolsOf(flags) },
    });
    await print(Id);
    return 0;
  },
});

interface PoolFlags {
  readonly subnet: readonly string[];
  readonly gateway: readonly string[];
  readonly ipRange: readonly string[];
  readonly auxAddress: readonly string[];
}

/** Gateways, ranges and kept addresses belong to the subnet that they lie in. */
function poolsOf({ subnet, gateway, ipRange, auxAddress }: PoolFlags): PoolConfig[] {
  const pools = subnet.map(
    (Subnet) => ({ Subnet, AuxiliaryAddresses: {} }) as { -readonly [K in keyof PoolConfig]: PoolConfig[K] },
  );
  const poolFor = (flag: string, written: string, address: string) => {
    const parsed = parseAddress(address);
    const found = pools.find(({ Subnet }) => {
      const known = parseSubnet(Subnet);
      return known !== undefined && parsed !== undefined && contains(known, parsed);
    });
    if (found === undefined)
      throw OrlopError.of("bad_value", { what: flag, value: written, expected: "an address of a --subnet" });
    return found;
  };
  for (const address of gateway) poolFor("--gateway", address, address).Gateway = address;
  for (const range of ipRange) poolFor("--ip-range", range, range.split("/")[0] ?? "").IPRange = range;
  for (const [name, address] of Object.entries(parseOptions(auxAddress, "--aux-address"))) {
    const pool = poolFor("--aux-address", `${name}=${address}`, address);
    pool.AuxiliaryAddresses = { ...pool.AuxiliaryAddresses, [name]: address };
  }
  return pools;
}
