/** Parses answers of `netlink-list`: links and routes. Messages of the kernel are trusted to be well formed. */

import { addressFromBytes, type Subnet } from "../../base/ip-address.ts";
import { AF_INET, AF_INET6 } from "./address.ts";
import { IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINKINFO, IFLA_MASTER } from "./link.ts";

const RTM_NEWLINK = 16;
const RTM_NEWROUTE = 24;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTN_UNICAST = 1;
/** Low 14 bits; above are NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const TYPE_MASK = 0x3fff;

export interface Link {
  readonly index: number;
  readonly name: string;
  /** Number of the bridge that it is a port of; 0 for none. */
  readonly master: number;
  /** "veth", "bridge" …; "" for hardware. */
  readonly kind: string;
  readonly isUp: boolean;
}

export interface Route {
  /** Default routes have prefix 0. */
  readonly to: Subnet;
  /** Number of the outgoing link; 0 when there are several. */
  readonly linkIndex: number;
}

export function parseLinks(list: Uint8Array): Link[] {
  return messagesOf(list, RTM_NEWLINK).map((body) => {
    const view = viewOf(body);
    const attributes = attributesOf(body.subarray(16));
    const info = attributesOf(attributes.get(IFLA_LINKINFO) ?? new Uint8Array());
    return {
      index: view.getInt32(4, true),
      name: textOf(attributes.get(IFLA_IFNAME)),
      master: numberOf(attributes.get(IFLA_MASTER)),
      kind: textOf(info.get(IFLA_INFO_KIND)),
      isUp: (view.getUint32(8, true) & 1) !== 0,
    };
  });
}

/** Unicast routes, without the kernel's own for local and broadcast addresses. */
export function parseRoutes(list: Uint8Array): Route[] {
  return messagesOf(list, RTM_NEWROUTE).flatMap((body): Route[] => {
    const [family, prefix = 0] = body;
    if ((family !== AF_INET && family !== AF_INET6) || body[7] !== RTN_UNICAST) return [];
    const attributes = attributesOf(body.subarray(12));
    const destination = attributes.get(RTA_DST) ?? new Uint8Array(family === AF_INET ? 4 : 16);
    return [{ to: { address: addressFromBytes(destination), prefix }, linkIndex: numberOf(attributes.get(RTA_OIF)) }];
  });
}

/** The bodies of the messages of one type. */
export function messagesOf(list: Uint8Array, type: number): Uint8Array[] {
  const view = viewOf(list);
  const bodies: Uint8Array[] = [];
  for (let at = 0; at + 16 <= list.length; ) {
    const length = view.getUint32(at, true);
    if (length < 16) break;
    if (view.getUint16(at + 4, true) === type) bodies.push(list.subarray(at + 16, at + length));
    at += (length + 3) & ~3;
  }
  return bodies;
}

export function attributesOf(bytes: Uint8Array): Map<number, Uint8Array> {
  const view = viewOf(bytes);
  const found = new Map<number, Uint8Array>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < 4) break;
    found.set(view.getUint16(at + 2, true) & TYPE_MASK, bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const numberOf = (bytes: Uint8Array | undefined): number =>
  bytes === undefined ? 0 : viewOf(bytes).getUint32(0, true);
export const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes?.subarray(0, -1));
