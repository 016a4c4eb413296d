/** Rules as nftables' virtual machine has them: expressions that load, compare and decide (linux/netfilter/nf_tables.h). */

import { attribute, nested } from "./message.ts";

const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NF_ACCEPT = 1;

/** NFT_REG_*. */
export const registers = { verdict: 0, first: 1, second: 2 } as const;
type Register = (typeof registers)[keyof typeof registers];

export function expression(name: string, data: readonly Uint8Array[]): Uint8Array {
  return nested(NFTA_LIST_ELEM, [attribute(NFTA_EXPR_NAME, name), nested(NFTA_EXPR_DATA, data)]);
}

export const headers = { network: 1, transport: 2 } as const;

/** Loads bytes of a header into the first register. */
export function loadHeader(header: keyof typeof headers, offset: number, size: number): Uint8Array {
  const [DREG, BASE, OFFSET, LEN] = [1, 2, 3, 4];
  return expression("payload", [
    attribute(DREG, network32(registers.first)),
    attribute(BASE, network32(headers[header])),
    attribute(OFFSET, network32(offset)),
    attribute(LEN, network32(size)),
  ]);
}

/** NFT_META_*. */
const metaKeys = { iifname: 6, oifname: 7, l4proto: 16 } as const;

/** Loads metadata of the packet into the first register. */
export function loadMeta(key: keyof typeof metaKeys): Uint8Array {
  const [DREG, KEY] = [1, 2];
  return expression("meta", [attribute(DREG, network32(registers.first)), attribute(KEY, network32(metaKeys[key]))]);
}

/** Continues the rule when the first register begins with these bytes. */
export function isEqual(value: Uint8Array): Uint8Array {
  const [SREG, OP, DATA] = [1, 2, 3];
  const NFT_CMP_EQ = 0;
  return expression("cmp", [
    attribute(SREG, network32(registers.first)),
    attribute(OP, network32(NFT_CMP_EQ)),
    nested(DATA, [attribute(NFTA_DATA_VALUE, value)]),
  ]);
}

export function setRegister(register: Register, value: Uint8Array): Uint8Array {
  const [DREG, DATA] = [1, 2];
  return expression("immediate", [
    attribute(DREG, network32(register)),
    nested(DATA, [attribute(NFTA_DATA_VALUE, value)]),
  ]);
}

export function accept(): Uint8Array {
  const [DREG, DATA] = [1, 2];
  const verdict = nested(NFTA_DATA_VERDICT, [attribute(NFTA_VERDICT_CODE, network32(NF_ACCEPT))]);
  return expression("immediate", [attribute(DREG, network32(registers.verdict)), nested(DATA, [verdict])]);
}

/** Address in the first register, port in the second. */
export function dnat(family: number): Uint8Array {
  const [TYPE, FAMILY, REG_ADDR_MIN, REG_PROTO_MIN] = [1, 2, 3, 5];
  const NFT_NAT_DNAT = 1;
  return expression("nat", [
    attribute(TYPE, network32(NFT_NAT_DNAT)),
    attribute(FAMILY, network32(family)),
    attribute(REG_ADDR_MIN, network32(registers.first)),
    attribute(REG_PROTO_MIN, network32(registers.second)),
  ]);
}

/** 32 bits in network order, as nftables has its numbers. */
export function network32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value);
  return bytes;
}
