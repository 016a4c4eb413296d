/** Internet addresses and subnets as values: text and bytes of both versions, and arithmetic with whole numbers. */

import { isIPv4, isIPv6 } from "node:net";

export type IpVersion = 4 | 6;

export interface IpAddress {
  readonly version: IpVersion;
  /** 32 or 128 bits. */
  readonly value: bigint;
}

export interface Subnet {
  readonly address: IpAddress;
  /** 0 to 32 or 128. */
  readonly prefix: number;
}

const bitsOf = (version: IpVersion): number => (version === 4 ? 32 : 128);

/** undefined for text that is not an address; a zone ("%eth0") is not accepted. */
export function parseAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) return { version: 4, value: joined(text.split(".").map(Number), 8n) };
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const [head = "", tail] = text.split("::");
  const before = groupsOf(head);
  const after = tail === undefined ? [] : groupsOf(tail);
  const zeros = new Array<number>(8 - before.length - after.length).fill(0);
  return { version: 6, value: joined([...before, ...zeros, ...after], 16n) };
}

/** "fe80:0:1" as 16-bit numbers; an IPv4 address at the end gives two. */
function groupsOf(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function joined(parts: readonly number[], bits: bigint): bigint {
  return parts.reduce((value, part) => (value << bits) | BigInt(part), 0n);
}

/** RFC 5952's form for IPv6. */
export function formatAddress({ version, value }: IpAddress): string {
  if (version === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  const runs = [...groups.join(":").matchAll(/(?<![0-9a-f])0(?::0)+(?![0-9a-f])/g)];
  const longest = runs.reduce((best, [run]) => (run.length > best.length ? run : best), "");
  if (longest === "") return groups.join(":");
  const [before = "", after = ""] = splitOnce(groups.join(":"), longest, runs);
  return `${before.replace(/:$/, "")}::${after.replace(/^:/, "")}`;
}

function splitOnce(text: string, run: string, runs: readonly RegExpMatchArray[]): [string, string] {
  const at = runs.find(([found]) => found === run)?.index ?? 0;
  return [text.slice(0, at), text.slice(at + run.length)];
}

/** In network order. */
export function addressBytes({ version, value }: IpAddress): Uint8Array {
  const bytes = new Uint8Array(bitsOf(version) / 8);
  let rest = value;
  for (let at = bytes.length - 1; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
  return bytes;
}

/** @param bytes 4 or 16 of them */
export function addressFromBytes(bytes: Uint8Array): IpAddress {
  return { version: bytes.length === 4 ? 4 : 6, value: joined([...bytes], 8n) };
}

/** Parses "10.0.0.0/8"; host bits may be set. undefined for text that is not a subnet. */
export function parseSubnet(text: string): Subnet | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  const address = match === null ? undefined : parseAddress(match[1] ?? "");
  const prefix = Number(match?.[2]);
  if (address === undefined || prefix > bitsOf(address.version)) return undefined;
  return { address, prefix };
}

/** The subnet's own address: host bits 0. */
export function firstOf({ address, prefix }: Subnet): IpAddress {
  const hostBits = BigInt(bitsOf(address.version) - prefix);
  return { ...address, value: (address.value >> hostBits) << hostBits };
}

/** The subnet's last address: for IPv4 its broadcast address. */
export function lastOf(subnet: Subnet): IpAddress {
  return { ...subnet.address, value: firstOf(subnet).value + sizeOf(subnet) - 1n };
}

/** How many addresses it has. */
export function sizeOf({ address, prefix }: Subnet): bigint {
  return 1n << BigInt(bitsOf(address.version) - prefix);
}

export function formatSubnet({ address, prefix }: Subnet): string {
  return `${formatAddress(address)}/${prefix}`;
}

export function contains(subnet: Subnet, address: IpAddress): boolean {
  if (subnet.address.version !== address.version) return false;
  return address.value >= firstOf(subnet).value && address.value <= lastOf(subnet).value;
}

export function overlaps(one: Subnet, other: Subnet): boolean {
  return contains(one, firstOf(other)) || contains(other, firstOf(one));
}
