/**
 * A sandbox, as steps: a network namespace that exists before its container and is kept by a mount, and its links. Each plan is
 * carried out by a process of its own, which may change its network namespace.
 */

import type { IpAddress, Subnet } from "../base/ip-address.ts";
import { CLONE_NEWNET } from "../kernel/linux.ts";
import { addAddress } from "../kernel/netlink/address.ts";
import {
  changeBridgePort,
  createIpvlan,
  createMacvlan,
  createVeth,
  type IpvlanFlag,
  type IpvlanMode,
  joinBridge,
  linkUp,
  type MacvlanMode,
  nameHost,
  withoutLinkLocal,
} from "../kernel/netlink/link.ts";
import { loopbackUp } from "../kernel/netlink/loopback.ts";
import { encodeRequests, type NetlinkRequest } from "../kernel/netlink/message.ts";
import { deleteDefaultRoute, setDefaultRoute } from "../kernel/netlink/route.ts";
import type { Step } from "../kernel/step.ts";
import { removeLinks, sysctl } from "./plan-bridge.ts";

const NETLINK_ROUTE = 0;
/** Interface numbers begin above those of the tunnel devices that the kernel may create in a new namespace. */
const FIRST_LINK_INDEX = 20;

/** A container's endpoint in one network. */
export interface EndpointLink {
  /** 0, 1, …, from which the link's number in the namespace is derived. */
  readonly number: number;
  /** eth0, eth1 …, or the one asked for. */
  readonly name: string;
  readonly mac: Uint8Array;
  /** With the network's prefix. */
  readonly addresses: readonly Subnet[];
  /** Parameters of this link only: set after its addresses, before any packet can arrive. */
  readonly sysctls: readonly LinkSysctl[];
  readonly mtu: number;
  readonly plug: Plug;
}

/** net.FAMILY.GROUP.(the link).KEY = value */
export interface LinkSysctl {
  readonly family: string;
  readonly group: string;
  readonly key: string;
  readonly value: string;
}

/** Where the link's other end is. */
export type Plug =
  | {
      readonly kind: "bridge";
      /** The other end, in the host's namespace. */
      readonly portName: string;
      readonly bridgeIndex: number;
      readonly isolated: boolean;
    }
  | { readonly kind: "macvlan"; readonly parentIndex: number; readonly mode: MacvlanMode }
  | { readonly kind: "ipvlan"; readonly parentIndex: number; readonly mode: IpvlanMode; readonly flag: IpvlanFlag };

/** A new namespace with loopback only. Afterwards the plan's process is inside. */
export function planNamespace(path: string): Step[] {
  return [
    { op: "file", path, mode: 0o600, data: new Uint8Array(), why: "what the namespace is mounted on" },
    { op: "unshare", flags: CLONE_NEWNET, why: "a network of its own" },
    {
      op: "bind",
      source: "/proc/self/ns/net",
      target: path,
      flags: 0,
      set: 0,
      clear: 0,
      why: "the namespace stays when this process ends, and can be joined by its name",
    },
    loopbackUp(),
    {
      op: "netlink",
      protocol: NETLINK_ROUTE,
      messages: encodeRequests([nameHost()]),
      why: "this namespace's number for the host's namespace: it is chosen here, so that it need not be asked for",
    },
    sysctl("ipv6/conf/default/accept_ra", "0", "no neighbour may tell a container where its routes lead"),
    // Each probe for duplicate addresses would be flooded to every container of the bridge, perhaps a thousand.
    sysctl(
      "ipv6/conf/default/dad_transmits",
      "0",
      "no search for another owner of its link-local address: that is made of its hardware address, which nobody else has",
    ),
  ];
}

/** A link into one network. The plan's process is inside the sandbox before these steps, and in the host's namespace afterwards. */
export function planLink(link: EndpointLink): Step[] {
  return link.plug.kind === "bridge" ? planVeth(link, link.plug) : planBelow(link, link.plug);
}

/** A macvlan or ipvlan link on one of the host's. */
function planBelow(link: EndpointLink, plug: Exclude<Plug, { kind: "bridge" }>): Step[] {
  const { name, mac, mtu } = link;
  const common = { name, index: FIRST_LINK_INDEX + link.number, parent: plug.parentIndex, mtu };
  const create =
    plug.kind === "macvlan"
      ? createMacvlan({ ...common, mac, mode: plug.mode })
      : createIpvlan({ ...common, mode: plug.mode, flag: plug.flag });
  const address =
    plug.kind === "macvlan"
      ? "a hardware address of its own"
      : "addresses of its own, behind the same hardware address,";
  return [
    repeatReports("1000", "as every host on that wire"),
    ...planInside(link, create, `${name}: ${address} on the host's link`),
    backToHost(),
  ];
}

function planVeth(link: EndpointLink, plug: Extract<Plug, { kind: "bridge" }>): Step[] {
  const { name } = link;
  const index = FIRST_LINK_INDEX + link.number;
  return [
    // An hour between reports: the first is sent at once, and the bridge does not drop multicast. Reports are flooded to every port.
    repeatReports(
      "3600000",
      "its multicast memberships are reported once, and not again within seconds to every container of the network",
    ),
    ...planInside(
      link,
      createVeth({ name, index, mac: link.mac, mtu: link.mtu, hostName: plug.portName }),
      `${name}: a pair of links, the other end of which is born in the host's namespace`,
    ),
    backToHost(),
    // With addresses, the kernel would go through the routes of a thousand ports each time a link comes up.
    {
      op: "try-netlink",
      protocol: NETLINK_ROUTE,
      messages: encodeRequests([withoutLinkLocal(plug.portName)]),
      why: "the host's address in the network is the bridge's; its ports need none",
    },
    {
      op: "netlink",
      protocol: NETLINK_ROUTE,
      messages: encodeRequests([
        joinBridge(plug.portName, plug.bridgeIndex),
        changeBridgePort({ name: plug.portName, hairpin: true, isolated: plug.isolated }),
      ]),
      why: plug.isolated
        ? "plugged into the network's bridge, where containers may not talk to each other"
        : "plugged into the network's bridge; a container may reach its own published port",
    },
  ];
}

/** For links that are created later in this namespace: the interval between repeated MLD reports. */
function repeatReports(withinMs: string, why: string): Step {
  return sysctl("ipv6/conf/default/mldv2_unsolicited_report_interval", withinMs, why);
}

/** The container's end: created, given its addresses and parameters, and set up. */
function planInside({ number, name, addresses, sysctls }: EndpointLink, create: NetlinkRequest, why: string): Step[] {
  const made = [create, ...addresses.map((address) => addAddress(FIRST_LINK_INDEX + number, address))];
  const netlink = (requests: readonly NetlinkRequest[], reason: string): Step => {
    return { op: "netlink", protocol: NETLINK_ROUTE, messages: encodeRequests(requests), why: reason };
  };
  if (sysctls.length === 0) return [netlink([...made, linkUp(name)], why)];
  return [
    netlink(made, why),
    ...sysctls.map(({ family, group, key, value }): Step => {
      const path = `/proc/sys/net/${family}/${group}/${name}/${key}`;
      return { op: "write", path, data: new TextEncoder().encode(value), why: `asked for, of ${name} alone` };
    }),
    netlink([linkUp(name)], `${name} is ready`),
  ];
}

/** Enters an existing sandbox. */
export function enterNamespace(path: string): Step {
  return { op: "setns", path, flags: CLONE_NEWNET, why: "what follows is done inside the container's network" };
}

function backToHost(): Step {
  return { op: "setns", path: "", flags: CLONE_NEWNET, why: "what follows is done on the host's side" };
}

/** Inside: the default routes, for IPv4 and IPv6, each optional. */
export function planGateways(gateways: readonly Gateway[]): Step[] {
  const missing = ([4, 6] as const).filter((version) => !gateways.some(({ address }) => address.version === version));
  return [
    ...(missing.length === 0
      ? []
      : [
          {
            op: "try-netlink",
            protocol: NETLINK_ROUTE,
            messages: encodeRequests(missing.map(deleteDefaultRoute)),
            why: "no network of the container leads further by these",
          } as const,
        ]),
    ...(gateways.length === 0
      ? []
      : [
          {
            op: "netlink",
            protocol: NETLINK_ROUTE,
            messages: encodeRequests(
              gateways.map(({ address, number }) => setDefaultRoute(address, FIRST_LINK_INDEX + number)),
            ),
            why: "everything else goes through the host",
          } as const,
        ]),
  ];
}

export interface Gateway {
  readonly address: IpAddress;
  /** The endpoint through which it is reached. */
  readonly number: number;
}

/** A link without another end. The plan's process is inside. */
export function removeInside(name: string): Step {
  return removeLinks([name], "the container leaves this network");
}

/** The host's links first: then the addresses are free even if a process still keeps the namespace. */
export function planSandboxRemoval(path: string, portNames: readonly string[]): Step[] {
  return [
    ...(portNames.length === 0 ? [] : [removeLinks(portNames, "unplugged: both ends of the pair go")]),
    { op: "unmount", path, why: "the network namespace goes when nobody is in it any more" },
  ];
}
