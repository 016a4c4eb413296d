/** Adds and deletes elements of nftables sets and maps (linux/netfilter/nf_tables.h). The rules themselves are installed by `nft`. */

import {
  ATTRIBUTE_HEADER_BYTES,
  attribute,
  concatenate,
  encodeRequests,
  type NetlinkRequest,
  NLA_F_NESTED,
  NLM_F_CREATE,
} from "./message.ts";

export const NETLINK_NETFILTER = 12;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 12;
const NFT_MSG_DELSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 14;
const NFPROTO_INET = 1;

const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_SET_ELEM_KEY_END = 10;
const NFTA_DATA_VALUE = 1;

/** An attribute's length has 16 bits, and an element with two IPv6 addresses needs less than 128 bytes. */
const ELEMENTS_MAX = 500;

/** Parts of a concatenation, in order: each is padded to 4 bytes by itself. */
type Concatenation = readonly Uint8Array[];

export interface SetElement {
  readonly key: Concatenation;
  /** Of an interval: the last one. */
  readonly keyEnd?: Concatenation;
  /** Of a map. */
  readonly value?: Concatenation;
}

export interface SetChange {
  readonly set: string;
  readonly elements: readonly SetElement[];
}

/** Adds elements. All of these changes take effect at once, or none. */
export function encodeAdd(table: string, changes: readonly SetChange[]): Uint8Array {
  const requests = changes.flatMap((change) => requestsOf(NFT_MSG_NEWSETELEM, NLM_F_CREATE, table, change));
  return requests.length === 0 ? new Uint8Array() : encodeBatch(requests);
}

/** Deletes elements: all at once, or none when one does not exist. Each batch waits for the kernel's readers (some ms). */
export function encodeDelete(table: string, changes: readonly SetChange[]): Uint8Array {
  return encodeBatch(changes.flatMap((change) => requestsOf(NFT_MSG_DELSETELEM, 0, table, change)));
}

/** As `encodeDelete`, but each in a batch of its own, so that `try-netlink` deletes those that exist. */
export function encodeDeleteEach(table: string, changes: readonly SetChange[]): Uint8Array {
  const single = changes.flatMap(({ set, elements }) => elements.map((element) => ({ set, elements: [element] })));
  return concatenate(single.map((change) => encodeDelete(table, [change])));
}

/** All of these take effect at once, or none. */
export function encodeBatch(requests: readonly NetlinkRequest[]): Uint8Array {
  // struct nfgenmsg: any family, version 0, in network order the subsystem that the batch is for
  const frame = Uint8Array.of(0, 0, 0, NFNL_SUBSYS_NFTABLES);
  return encodeRequests([
    { type: NFNL_MSG_BATCH_BEGIN, payload: [frame] },
    ...requests,
    { type: NFNL_MSG_BATCH_END, payload: [frame] },
  ]);
}

function requestsOf(type: number, flags: number, table: string, { set, elements }: SetChange): NetlinkRequest[] {
  const requests: NetlinkRequest[] = [];
  for (let at = 0; at < elements.length; at += ELEMENTS_MAX) {
    requests.push({
      type,
      flags,
      payload: [
        Uint8Array.of(NFPROTO_INET, 0, 0, 0),
        attribute(NFTA_SET_ELEM_LIST_TABLE, table),
        attribute(NFTA_SET_ELEM_LIST_SET, set),
        attribute(NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED, encodeElements(elements.slice(at, at + ELEMENTS_MAX))),
      ],
    });
  }
  return requests;
}

/** Attribute within attribute, in one pass: a range of ports is thousands of elements, and each has a dozen parts. */
function encodeElements(elements: readonly SetElement[]): Uint8Array {
  const sizes = elements.map(sizeOfElement);
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
  let at = 0;
  const head = (type: number, size: number): void => {
    bytes[at++] = size;
    bytes[at++] = size >> 8;
    bytes[at++] = type;
    bytes[at++] = type >> 8;
  };
  const data = (type: number, parts: Concatenation): void => {
    const size = sizeOfParts(parts);
    head(type | NLA_F_NESTED, 2 * ATTRIBUTE_HEADER_BYTES + size);
    head(NFTA_DATA_VALUE, ATTRIBUTE_HEADER_BYTES + size);
    for (const part of parts) {
      for (let index = 0; index < part.length; index++) bytes[at + index] = part[index] as number;
      at += paddedSize(part);
    }
  };
  for (const [index, { key, keyEnd, value }] of elements.entries()) {
    head(NFTA_LIST_ELEM | NLA_F_NESTED, sizes[index] as number);
    data(NFTA_SET_ELEM_KEY, key);
    if (keyEnd !== undefined) data(NFTA_SET_ELEM_KEY_END, keyEnd);
    if (value !== undefined) data(NFTA_SET_ELEM_DATA, value);
  }
  return bytes;
}

function sizeOfElement({ key, keyEnd, value }: SetElement): number {
  const data = [key, keyEnd, value].filter((parts) => parts !== undefined);
  return data.reduce((sum, parts) => sum + 2 * ATTRIBUTE_HEADER_BYTES + sizeOfParts(parts), ATTRIBUTE_HEADER_BYTES);
}

function sizeOfParts(parts: Concatenation): number {
  return parts.reduce((sum, part) => sum + paddedSize(part), 0);
}

function paddedSize({ length }: Uint8Array): number {
  return (length + 3) & ~3;
}

/** A port, in network order. */
export function portBytes(port: number): Uint8Array {
  return Uint8Array.of(port >> 8, port & 0xff);
}

/** An interface's name as nftables compares it: 16 bytes. */
export function linkNameBytes(name: string): Uint8Array {
  const bytes = new Uint8Array(16);
  new TextEncoder().encodeInto(name, bytes);
  return bytes;
}
