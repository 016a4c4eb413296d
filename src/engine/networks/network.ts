/** One network: its record, and the allocation of its addresses. */

import { OrlopError } from "../../base/errors.ts";
import { formatAddress, type IpAddress, parseAddress, type Subnet } from "../../base/ip-address.ts";
import { AddressPool } from "../../network/address-pool.ts";
import type { RuledNetwork } from "../../network/ruleset.ts";
import type { EndpointSettings } from "../../spec/engine-api-network.ts";
import { parsed } from "./network-create.ts";
import { type BridgeOptions, bridgeOptionsOf } from "./network-options.ts";
import { DEFAULT_NETWORK, type NetworkRecord, type SubnetRecord } from "./network-record.ts";

/** An allocated address, with its subnet's prefix and gateway. */
export interface TakenAddress {
  readonly address: Subnet;
  readonly gateway: IpAddress | undefined;
}

interface LivePool {
  readonly record: SubnetRecord;
  readonly addresses: AddressPool;
}

export class Network {
  readonly record: NetworkRecord;
  readonly #pools: readonly LivePool[];
  /** Ids of the containers in it. Sandboxes that are made ahead are not counted. */
  readonly members = new Set<string>();

  constructor(record: NetworkRecord) {
    this.record = record;
    this.#pools = record.subnets.map((one) => ({ record: one, addresses: poolOf(one) }));
  }

  get id(): string {
    return this.record.id;
  }

  get name(): string {
    return this.record.name;
  }

  get isDefault(): boolean {
    return this.record.name === DEFAULT_NETWORK;
  }

  /** Of a bridge network. */
  get bridge(): BridgeOptions {
    return bridgeOptionsOf(this.record.options);
  }

  /** Its containers may not talk to each other (icc=false), except through ports that links open. */
  get isClosed(): boolean {
    return this.record.driver === "bridge" && !this.bridge.isOpen;
  }

  get subnets(): readonly Subnet[] {
    return this.#pools.map(({ addresses }) => addresses.subnet);
  }

  has(version: 4 | 6): boolean {
    return this.subnets.some(({ address }) => address.version === version);
  }

  /** The host's own addresses in it. */
  get gateways(): readonly Subnet[] {
    return this.#pools.flatMap(({ record, addresses }) => {
      const address = parseAddress(record.gateway);
      return address === undefined ? [] : [{ address, prefix: addresses.subnet.prefix }];
    });
  }

  get ruled(): RuledNetwork {
    const { internal, linkName } = this.record;
    const { isOpen, isMasqueraded } = this.bridge;
    return { linkName, subnets: this.subnets, isInternal: internal, isOpen, isMasqueraded };
  }

  /**
   * Allocates an address of each IP version: the ones asked for, else the next free ones.
   *
   * @throws {OrlopError} addresses_exhausted, address_in_use, address_outside, address_not_allowed; none is allocated then
   */
  takeAddresses(asked: EndpointSettings["IPAMConfig"]): TakenAddress[] {
    const taken: TakenAddress[] = [];
    try {
      for (const version of [4, 6] as const) {
        const wanted = version === 4 ? asked.IPv4Address : asked.IPv6Address;
        if (wanted !== "") taken.push(this.#claim(wanted));
        else if (this.has(version)) taken.push(this.#next(version));
      }
      return taken;
    } catch (error) {
      this.releaseAddresses(taken.map(({ address }) => address));
      throw error;
    }
  }

  #next(version: 4 | 6): TakenAddress {
    for (const { record, addresses } of this.#pools) {
      if (addresses.subnet.address.version !== version) continue;
      const address = addresses.take();
      if (address !== undefined) return takenOf(address, addresses, record);
    }
    throw OrlopError.of("addresses_exhausted", { network: this.name, version });
  }

  #claim(written: string): TakenAddress {
    const address = parseAddress(written);
    if (this.isDefault) throw OrlopError.of("address_not_allowed", { network: this.name });
    const pool = address === undefined ? undefined : this.#pools.find((one) => one.addresses.offers(address));
    if (address === undefined || pool === undefined)
      throw OrlopError.of("address_outside", { address: written, network: this.name });
    if (pool.record.isDefault) throw OrlopError.of("address_not_configured", { address: written });
    if (!pool.addresses.claim(address)) throw OrlopError.of("address_in_use", { address: written, network: this.name });
    return takenOf(address, pool.addresses, pool.record);
  }

  /** Allocates the addresses of a sandbox that an earlier engine made. */
  reclaim(addresses: readonly Subnet[]): void {
    for (const { address } of addresses) this.#poolFor(address)?.claim(address);
  }

  releaseAddresses(addresses: readonly Subnet[]): void {
    for (const { address } of addresses) this.#poolFor(address)?.release(address);
  }

  #poolFor(address: IpAddress): AddressPool | undefined {
    return this.#pools.find(({ addresses }) => addresses.offers(address))?.addresses;
  }

  /** The gateway of this address's subnet; undefined: none. */
  gatewayFor(address: IpAddress): string | undefined {
    const pool = this.#pools.find(({ addresses }) => addresses.offers(address));
    return this.record.internal ? undefined : pool?.record.gateway || undefined;
  }
}

function takenOf(address: IpAddress, { subnet }: AddressPool, { gateway }: SubnetRecord): TakenAddress {
  return { address: { address, prefix: subnet.prefix }, gateway: parseAddress(gateway) };
}

function poolOf({ subnet, range, gateway, auxiliary }: SubnetRecord): AddressPool {
  const reserved = [gateway, ...Object.values(auxiliary)].flatMap((text) => parseAddress(text) ?? []);
  return new AddressPool({ subnet: parsed(subnet), range: parsed(range || subnet), reserved });
}

/** "10.0.0.2/16". */
export function writtenAddress({ address, prefix }: Subnet): string {
  return `${formatAddress(address)}/${prefix}`;
}
