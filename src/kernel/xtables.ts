/**
 * Reads two facts from the kernel's iptables-legacy rules (linux/netfilter_ipv4/ip_tables.h, linux/netfilter/x_tables.h): whether the
 * policy of the filter table's FORWARD chain is DROP, and whether the table has a chain of a given name.
 */

import type { Step } from "./step.ts";

const AF = { 4: 2, 6: 10 } as const;
const IPPROTO_RAW = 255;
const LEVEL = { 4: 0, 6: 41 } as const;
const SO_GET_INFO = 64;
const SO_GET_ENTRIES = 65;
/** struct ipt_getinfo: the name, valid_hooks, hook_entry[5], underflow[5], num_entries, size. */
const INFO_BYTES = 84;
const NAME_BYTES = 32;
const NF_INET_FORWARD = 2;
/** Offset of the entries in struct ipt_get_entries: after name and size, aligned to 8. */
const ENTRIES_AT = 40;
/** Offset of target_offset in struct ipt_entry and ip6t_entry: after the match and nfcache. */
const TARGET_OFFSET_AT = { 4: 88, 6: 140 } as const;
/** Offset of the verdict in struct xt_standard_target. */
const VERDICT_AT = 32;
/** -NF_DROP - 1 */
const DROPS = -1;

export interface LegacyInfo {
  /** Offset of the entry that is FORWARD's policy; undefined: the table has no such hook. */
  readonly policyAt: number | undefined;
  readonly sizeBytes: number;
}

export function askLegacyInfo(version: 4 | 6): Step {
  return ask(version, SO_GET_INFO, INFO_BYTES, 0);
}

export function parseLegacyInfo(value: Uint8Array): LegacyInfo {
  const view = viewOf(value);
  const hasHook = (view.getUint32(NAME_BYTES, true) & (1 << NF_INET_FORWARD)) !== 0;
  return {
    policyAt: hasHook ? view.getUint32(NAME_BYTES + 4 + 20 + 4 * NF_INET_FORWARD, true) : undefined,
    sizeBytes: view.getUint32(INFO_BYTES - 4, true),
  };
}

export function askLegacyRules(version: 4 | 6, { sizeBytes }: LegacyInfo): Step {
  return ask(version, SO_GET_ENTRIES, ENTRIES_AT + sizeBytes, sizeBytes);
}

export interface LegacyRules {
  /** The policy of its chain FORWARD. */
  readonly dropsForwarded: boolean;
  hasChain(name: string): boolean;
}

export function parseLegacyRules(version: 4 | 6, { policyAt }: LegacyInfo, value: Uint8Array): LegacyRules {
  const entries = value.subarray(ENTRIES_AT);
  const view = viewOf(entries);
  const targetAt = policyAt === undefined ? 0 : policyAt + view.getUint16(policyAt + TARGET_OFFSET_AT[version], true);
  return {
    dropsForwarded: policyAt !== undefined && view.getInt32(targetAt + VERDICT_AT, true) === DROPS,
    // A chain begins with an entry whose target ERROR has its name.
    hasChain: (name) => Buffer.from(entries).includes(`\0${name}\0`),
  };
}

/** getsockopt for the table "filter". */
function ask(version: 4 | 6, option: number, bytes: number, size: number): Step {
  const data = new Uint8Array(bytes);
  new TextEncoder().encodeInto("filter", data);
  if (size > 0) viewOf(data).setUint32(NAME_BYTES, size, true);
  const why = "whether iptables-legacy drops what is forwarded: its rules are in no list of nftables";
  return { op: "socket-option", family: AF[version], protocol: IPPROTO_RAW, level: LEVEL[version], option, data, why };
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
