/** Requests about network links (rtnetlink(7), linux/rtnetlink.h, linux/if_link.h). */

import { attribute, byte, type NetlinkRequest, NLM_F_CREATE, NLM_F_EXCL, nested } from "./message.ts";

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const IFF_UP = 1;

const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
export const IFLA_MASTER = 10;
export const IFLA_LINKINFO = 18;
const IFLA_NET_NS_PID = 19;
const IFLA_AF_SPEC = 26;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
const AF_INET6 = 10;
const IFLA_EXT_MASK = 29;
const RTEXT_FILTER_SKIP_STATS = 8;
const IFLA_LINK_NETNSID = 37;
export const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const VETH_INFO_PEER = 1;
const IFLA_MACVLAN_MODE = 1;
const IFLA_IPVLAN_MODE = 1;
const IFLA_IPVLAN_FLAGS = 2;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_ISOLATED = 33;
const IFLA_BR_MCAST_SNOOPING = 23;
/** Linux 6.7; older kernels ignore it. */
const IFLA_BR_FDB_MAX_LEARNED = 49;

const RTM_NEWNSID = 88;
const NETNSA_NSID = 1;
const NETNSA_PID = 2;
/** The id of the host's network namespace in a container's. */
const HOST_NSID = 7;

/** PID 1 is in the host's network namespace: the supervisor refuses to start elsewhere. */
const HOST_PID = 1;

export interface LinkChange {
  /** Interface number; 0: the link is named instead. */
  readonly index: number;
  /** IFF_* to have … */
  readonly flags: number;
  /** … of these. */
  readonly change: number;
}

const untouched: LinkChange = { index: 0, flags: 0, change: 0 };
const up: LinkChange = { index: 0, flags: IFF_UP, change: IFF_UP };

/** Changes flags of a link that exists. */
export function changeLink({ index, flags, change }: LinkChange): NetlinkRequest {
  return { type: RTM_NEWLINK, payload: [interfaceInfo({ index, flags, change })] };
}

/** struct ifinfomsg: family and type 0, that is any. */
function interfaceInfo({ index, flags, change }: LinkChange): Uint8Array {
  const info = new Uint8Array(16);
  const view = new DataView(info.buffer);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, change, true);
  return info;
}

/** Limits the addresses that a bridge learns: a container that sends from ever new hardware addresses could exhaust the machine's memory. */
const LEARNED_MAX = 8192;

export interface BridgeLink {
  readonly name: string;
  /** 6 bytes. Set explicitly, because otherwise a bridge takes the address of a port, and changes it with its ports. */
  readonly mac: Uint8Array;
  /** 0: the kernel's default. */
  readonly mtu: number;
}

export function createBridge({ name, mac, mtu }: BridgeLink): NetlinkRequest {
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: [
      interfaceInfo(up),
      attribute(IFLA_IFNAME, name),
      attribute(IFLA_ADDRESS, mac),
      ...(mtu === 0 ? [] : [attribute(IFLA_MTU, mtu)]),
      // Without a querier on the bridge, snooping would drop multicast, IPv6 neighbour discovery included.
      nested(IFLA_LINKINFO, [
        attribute(IFLA_INFO_KIND, "bridge"),
        nested(IFLA_INFO_DATA, [
          attribute(IFLA_BR_MCAST_SNOOPING, byte(0)),
          attribute(IFLA_BR_FDB_MAX_LEARNED, LEARNED_MAX),
        ]),
      ]),
    ],
  };
}

export interface VethLink {
  /** Its name in the namespace where the request is sent. */
  readonly name: string;
  /** Its number there, chosen by us, so that the same plan can add addresses and routes. */
  readonly index: number;
  readonly mac: Uint8Array;
  readonly mtu: number;
  /** The name of the other end, in the host's namespace. */
  readonly hostName: string;
}

/** A veth pair, created from inside the container's namespace with its other end in the host's. Both ends are down. */
export function createVeth({ name, index, mac, mtu, hostName }: VethLink): NetlinkRequest {
  const size = mtu === 0 ? [] : [attribute(IFLA_MTU, mtu)];
  const peer = [
    interfaceInfo(untouched),
    attribute(IFLA_IFNAME, hostName),
    ...size,
    attribute(IFLA_NET_NS_PID, HOST_PID),
  ];
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: [
      interfaceInfo({ ...untouched, index }),
      attribute(IFLA_IFNAME, name),
      attribute(IFLA_ADDRESS, mac),
      ...size,
      nested(IFLA_LINKINFO, [
        attribute(IFLA_INFO_KIND, "veth"),
        nested(IFLA_INFO_DATA, [nested(VETH_INFO_PEER, peer)]),
      ]),
    ],
  };
}

/** MACVLAN_MODE_*. */
export const macvlanModes = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const;
export type MacvlanMode = keyof typeof macvlanModes;

export interface MacvlanLink {
  readonly name: string;
  /** Its number: see VethLink. */
  readonly index: number;
  readonly mac: Uint8Array;
  /** Number of the parent link in the host's namespace, to which `nameHost` has given an id here. */
  readonly parent: number;
  readonly mode: MacvlanMode;
  readonly mtu: number;
}

/** IPVLAN_MODE_*. */
export const ipvlanModes = { l2: 0, l3: 1, l3s: 2 } as const;
export type IpvlanMode = keyof typeof ipvlanModes;
/** IPVLAN_F_*: which of the parent's links may talk to each other, and how. */
export const ipvlanFlags = { bridge: 0, private: 1, vepa: 2 } as const;
export type IpvlanFlag = keyof typeof ipvlanFlags;

/** As MacvlanLink, but with the parent's hardware address. */
export interface IpvlanLink {
  readonly name: string;
  readonly index: number;
  readonly parent: number;
  readonly mode: IpvlanMode;
  readonly flag: IpvlanFlag;
  readonly mtu: number;
}

/** Gives the host's namespace an id in the namespace where this is sent. */
export function nameHost(): NetlinkRequest {
  return {
    type: RTM_NEWNSID,
    payload: [new Uint8Array(1), attribute(NETNSA_NSID, HOST_NSID), attribute(NETNSA_PID, HOST_PID)],
  };
}

/** Sent inside the container's namespace. */
export function createMacvlan(link: MacvlanLink): NetlinkRequest {
  return createBelow(link, [attribute(IFLA_ADDRESS, link.mac)], "macvlan", [
    attribute(IFLA_MACVLAN_MODE, macvlanModes[link.mode]),
  ]);
}

/** Sent inside the container's namespace. EOPNOTSUPP where the kernel has no such links. */
export function createIpvlan(link: IpvlanLink): NetlinkRequest {
  return createBelow(link, [], "ipvlan", [
    attribute(IFLA_IPVLAN_MODE, short(ipvlanModes[link.mode])),
    attribute(IFLA_IPVLAN_FLAGS, short(ipvlanFlags[link.flag])),
  ]);
}

/** A link that uses one of the host's. */
function createBelow(
  { name, index, parent, mtu }: Pick<MacvlanLink, "name" | "index" | "parent" | "mtu">,
  own: readonly Uint8Array[],
  kind: string,
  data: readonly Uint8Array[],
): NetlinkRequest {
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: [
      interfaceInfo({ ...untouched, index }),
      attribute(IFLA_IFNAME, name),
      ...own,
      ...(mtu === 0 ? [] : [attribute(IFLA_MTU, mtu)]),
      attribute(IFLA_LINK, parent),
      attribute(IFLA_LINK_NETNSID, HOST_NSID),
      nested(IFLA_LINKINFO, [attribute(IFLA_INFO_KIND, kind), nested(IFLA_INFO_DATA, data)]),
    ],
  };
}

function short(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, value >>> 8);
}

/** Before the link is set up: keeps it from getting a link-local IPv6 address. Fails where the kernel has no IPv6. */
export function withoutLinkLocal(name: string): NetlinkRequest {
  const mode = attribute(IFLA_INET6_ADDR_GEN_MODE, byte(IN6_ADDR_GEN_MODE_NONE));
  return {
    type: RTM_NEWLINK,
    payload: [interfaceInfo(untouched), attribute(IFLA_IFNAME, name), nested(IFLA_AF_SPEC, [nested(AF_INET6, [mode])])],
  };
}

/** Makes a link a port of this bridge, and sets it up. */
export function joinBridge(name: string, bridgeIndex: number): NetlinkRequest {
  return {
    type: RTM_NEWLINK,
    payload: [interfaceInfo(up), attribute(IFLA_IFNAME, name), attribute(IFLA_MASTER, bridgeIndex)],
  };
}

export interface BridgePort {
  readonly name: string;
  /** Hairpin: packets may leave by the port that they came from. */
  readonly hairpin: boolean;
  /** Isolated ports do not reach each other. */
  readonly isolated: boolean;
}

/** After `joinBridge`, in a message of its own, because the kernel uses the master that the link had before the message. */
export function changeBridgePort({ name, hairpin, isolated }: BridgePort): NetlinkRequest {
  return {
    type: RTM_NEWLINK,
    payload: [
      interfaceInfo(untouched),
      attribute(IFLA_IFNAME, name),
      nested(IFLA_LINKINFO, [
        attribute(IFLA_INFO_SLAVE_KIND, "bridge"),
        nested(IFLA_INFO_SLAVE_DATA, [
          attribute(IFLA_BRPORT_MODE, byte(hairpin ? 1 : 0)),
          attribute(IFLA_BRPORT_ISOLATED, byte(isolated ? 1 : 0)),
        ]),
      ]),
    ],
  };
}

export function linkUp(name: string): NetlinkRequest {
  return { type: RTM_NEWLINK, payload: [interfaceInfo(up), attribute(IFLA_IFNAME, name)] };
}

/** Of a veth pair, both ends are removed. */
export function deleteLink(name: string): NetlinkRequest {
  return { type: RTM_DELLINK, payload: [interfaceInfo(untouched), attribute(IFLA_IFNAME, name)] };
}

/** Lists every link, without its counters, which would be most of the answer. */
export function listLinks(): NetlinkRequest {
  const payload = [interfaceInfo(untouched), attribute(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)];
  return { type: RTM_GETLINK, payload };
}
