/** Capabilities: names, bits and masks (linux/capability.h), and the meaning of Docker's CapAdd and CapDrop. */

import { OrlopError } from "../base/errors.ts";

/** In the order of their bits: CAP_CHOWN is bit 0. */
const names = [
  ...["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"],
  ...["LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"],
  ...["SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"],
  ...["SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"],
  ...["MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ"],
  ...["PERFMON", "BPF"], // 5.8
  "CHECKPOINT_RESTORE", // 5.9
].map((name) => `CAP_${name}`);

const bits: ReadonlyMap<string, number> = new Map(names.map((name, bit) => [name, bit]));

/** A container's capabilities by default (Docker's fourteen), in the order of their bits. */
export const defaultCapabilities: readonly string[] = names.filter((name) =>
  [
    ...["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID"],
    ...["CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL"],
    "CAP_AUDIT_WRITE",
  ].includes(name),
);

/** Every capability up to `last`, which is the kernel's own /proc/sys/kernel/cap_last_cap. */
export function allCapabilities(last = names.length - 1): string[] {
  return names.slice(0, last + 1);
}

/** "CAP_CHOWN" for "chown", "Cap_Chown", "CAP_CHOWN"; undefined for an unknown name. */
function canonical(text: string): string | undefined {
  const upper = text.toUpperCase();
  const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  return bits.has(name) ? name : undefined;
}

/**
 * The capability that `text` names, however it is written.
 *
 * @throws {OrlopError} unknown_capability
 */
export function parseCapability(text: string): string {
  const name = canonical(text);
  if (name === undefined) throw OrlopError.of("unknown_capability", { name: text });
  return name;
}

export interface CapabilityChanges {
  /** Docker's CapAdd: names with or without "CAP_", in any case, or "ALL". */
  readonly add?: readonly string[];
  /** Docker's CapDrop, likewise. */
  readonly drop?: readonly string[];
  /** All capabilities, whatever `add` and `drop` are. */
  readonly privileged?: boolean;
  /** The kernel's cap_last_cap. */
  readonly last?: number;
}

/**
 * A container's capabilities, in the order of their bits. As in Docker: adding ALL starts from everything and then drops;
 * dropping ALL leaves what is added; else the defaults, less what is dropped, and what is added wins.
 *
 * @throws {OrlopError} unknown_capability, capability_unsupported (newer than the kernel)
 */
export function containerCapabilities({ add = [], drop = [], privileged, last }: CapabilityChanges): string[] {
  const all = allCapabilities(last);
  const added = parseNames(add, all);
  const dropped = parseNames(drop, undefined);
  if (privileged === true) return all;
  if (added.has("ALL")) return all.filter((name) => !dropped.has(name));
  if (dropped.has("ALL")) return all.filter((name) => added.has(name));
  return all.filter((name) => added.has(name) || (defaultCapabilities.includes(name) && !dropped.has(name)));
}

/** @param known  the kernel's capabilities; undefined: any name, because dropping one that the kernel lacks is no error */
function parseNames(list: readonly string[], known: readonly string[] | undefined): Set<string> {
  return new Set(
    list.map((text) => {
      if (text.toUpperCase() === "ALL") return "ALL";
      const name = parseCapability(text);
      if (known !== undefined && !known.includes(name)) throw OrlopError.of("capability_unsupported", { name });
      return name;
    }),
  );
}

/**
 * 1 << bit of each name, for capset(2) and PR_CAPBSET_DROP.
 *
 * @throws {OrlopError} unknown_capability
 */
export function capabilityMask(list: readonly string[]): bigint {
  return list.reduce((mask, text) => mask | (1n << BigInt(bits.get(parseCapability(text)) ?? 0)), 0n);
}

/** The names of a mask, as in /proc/PID/status, in the order of their bits. */
export function capabilityNames(mask: bigint): string[] {
  return names.filter((_, bit) => (mask & (1n << BigInt(bit))) !== 0n);
}
