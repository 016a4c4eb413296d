/** Subnets for networks that name none: the first that overlaps neither a route of the host nor another network. */

import { createHash } from "node:crypto";
import { addressFromBytes, overlaps, parseSubnet, type Subnet } from "../base/ip-address.ts";

interface DefaultPool {
  readonly base: string;
  /** Prefix of the subnets that it is divided into. */
  readonly prefix: number;
}

/** None of the addresses that Docker gives its own networks comes first: a dockerd that starts later finds them free. */
const defaultPools: readonly DefaultPool[] = [
  { base: "10.213.0.0/16", prefix: 20 },
  { base: "10.214.0.0/15", prefix: 20 },
  { base: "172.24.0.0/13", prefix: 20 },
  { base: "172.20.0.0/14", prefix: 20 },
  { base: "192.168.0.0/16", prefix: 20 },
];

/** @param taken subnets of the host's routes, without default routes, and of other networks */
export function chooseSubnet4(taken: readonly Subnet[]): Subnet | undefined {
  for (const { base, prefix } of defaultPools) {
    const found = firstFree(base, prefix, taken);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** How many subnets are tried: the machine's own /48 has 2^16 /64 subnets. */
const TRIES_MAX = 65_536n;

/**
 * A /64 out of this machine's own unique local addresses (RFC 4193).
 *
 * @param seed something that only this machine has: the 40 random bits are derived from it, and stay the same
 */
export function chooseSubnet6(seed: string, taken: readonly Subnet[]): Subnet | undefined {
  const bits = createHash("sha256").update(`orlop ${seed}`).digest();
  const bytes = new Uint8Array(16);
  bytes[0] = 0xfd;
  bytes.set(bits.subarray(0, 5), 1);
  const own: Subnet = { address: addressFromBytes(bytes), prefix: 48 };
  return firstFreeOf(own, 64, taken);
}

function firstFree(base: string, prefix: number, taken: readonly Subnet[]): Subnet | undefined {
  const pool = parseSubnet(base);
  return pool === undefined ? undefined : firstFreeOf(pool, prefix, taken);
}

function firstFreeOf(pool: Subnet, prefix: number, taken: readonly Subnet[]): Subnet | undefined {
  const { address } = pool;
  const inPool = taken.filter((one) => one.prefix > 0 && overlaps(one, pool));
  const size = 1n << BigInt((address.version === 4 ? 32 : 128) - prefix);
  const count = 1n << BigInt(prefix - pool.prefix);
  for (let number = 0n; number < count && number < TRIES_MAX; number++) {
    const subnet: Subnet = { address: { ...address, value: address.value + number * size }, prefix };
    if (!inPool.some((one) => overlaps(one, subnet))) return subnet;
  }
  return undefined;
}
