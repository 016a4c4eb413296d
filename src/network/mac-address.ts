/** Hardware addresses: six bytes, locally administered. */

import { createHash } from "node:crypto";
import { addressBytes, type IpAddress } from "../base/ip-address.ts";

/** undefined for what is no address of one interface ("02:42:0a:00:00:02"). */
export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}$/.test(text)) return undefined;
  const bytes = Uint8Array.from(text.split(/[:-]/), (part) => Number.parseInt(part, 16));
  const isGroup = ((bytes[0] ?? 0) & 1) !== 0;
  return isGroup || bytes.every((byte) => byte === 0) ? undefined : bytes;
}

export function formatMac(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Made of the IPv4 address: whoever gets an address again has the hardware address that its neighbours remember. */
export function macOf(address: IpAddress): Uint8Array {
  if (address.version === 4) return Uint8Array.of(0x02, 0x42, ...addressBytes(address));
  return macFrom(addressBytes(address));
}

/** Made of anything that stays the same. */
export function macFrom(seed: string | Uint8Array): Uint8Array {
  return Uint8Array.of(0x02, ...createHash("sha256").update(seed).digest().subarray(0, 5));
}
