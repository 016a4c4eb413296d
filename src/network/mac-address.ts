/** Hardware addresses: six bytes, locally administered. */

import { createHash } from "node:crypto";
import { addressBytes, type IpAddress } from "../base/ip-address.ts";

/** Parses "02:42:0a:00:00:02"; undefined for text that is not the address of a single interface. */
export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}$/.test(text)) return undefined;
  const bytes = Uint8Array.from(text.split(/[:-]/), (part) => Number.parseInt(part, 16));
  const isGroup = ((bytes[0] ?? 0) & 1) !== 0;
  return isGroup || bytes.every((byte) => byte === 0) ? undefined : bytes;
}

export function formatMac(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Made from the IPv4 address: when an address is assigned again, neighbours' caches are still right. */
export function macOf(address: IpAddress): Uint8Array {
  if (address.version === 4) return Uint8Array.of(0x02, 0x42, ...addressBytes(address));
  return macFrom(addressBytes(address));
}

/** Made from any text that stays the same. */
export function macFrom(seed: string | Uint8Array): Uint8Array {
  return Uint8Array.of(0x02, ...createHash("sha256").update(seed).digest().subarray(0, 5));
}
