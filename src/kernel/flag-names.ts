/** Numbers as the kernel's own names, for `orlop explain`. */

import { allCapabilities, capabilityNames } from "./capabilities.ts";
import * as linux from "./linux.ts";

function withPrefix(...prefixes: readonly string[]): (readonly [name: string, value: bigint])[] {
  return Object.entries(linux)
    .filter(([name]) => prefixes.some((prefix) => name.startsWith(prefix)))
    .map(([name, value]) => [name, BigInt(value as number)] as const);
}

const cloneFlags = withPrefix("CLONE_NEW");
const propagationFlags = withPrefix("MS_");
const attributeFlags = withPrefix("MOUNT_ATTR_");
const fileTypes = withPrefix("S_IF");

/** "A|B|0x40" for the bits of a number; "0" without any. */
function names(value: number | bigint, known: readonly (readonly [string, bigint])[]): string {
  let rest = BigInt(value);
  const found: string[] = [];
  for (const [name, bit] of known) {
    if (bit === 0n || (rest & bit) !== bit) continue;
    found.push(name);
    rest &= ~bit;
  }
  if (rest !== 0n || found.length === 0) found.push(rest === 0n ? "0" : `0x${rest.toString(16)}`);
  return found.join("|");
}

export const cloneFlagNames = (flags: number | bigint) => names(flags, cloneFlags);
export const propagationNames = (flags: number | bigint) => names(flags, propagationFlags);
export const attributeNames = (flags: number | bigint) => names(flags, attributeFlags);
export const fileTypeName = (kind: number | bigint) =>
  fileTypes.find(([, bit]) => bit === BigInt(kind))?.[0] ?? String(kind);

/** "CHOWN|KILL" for a mask of 1 << CAP_*. */
export function capabilitySetNames(mask: number | bigint): string {
  const set = capabilityNames(BigInt(mask)).map((name) => name.slice("CAP_".length));
  if (set.length === allCapabilities().length) return "all";
  return set.length === 0 ? "none" : set.join("|");
}
