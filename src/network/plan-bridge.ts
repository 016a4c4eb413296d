/** The host's side of bridge networks, as steps: forwarding, bridges, their addresses. */

import type { Subnet } from "../base/ip-address.ts";
import { addAddress } from "../kernel/netlink/address.ts";
import { createBridge, deleteLink, linkUp, listLinks } from "../kernel/netlink/link.ts";
import { encodeRequests } from "../kernel/netlink/message.ts";
import { listRoutes } from "../kernel/netlink/route.ts";
import type { Step } from "../kernel/step.ts";
import { macFrom } from "./mac-address.ts";

const NETLINK_ROUTE = 0;
const encoder = new TextEncoder();

/** Lists the host's links, then its routes. */
export function planSurvey(): Step[] {
  return [
    {
      op: "netlink-list",
      protocol: NETLINK_ROUTE,
      message: encodeRequests([listLinks()]),
      why: "which links the host has",
    },
    {
      op: "netlink-list",
      protocol: NETLINK_ROUTE,
      message: encodeRequests([listRoutes()]),
      why: "where the host's routes lead: no network of ours may hide one",
    },
  ];
}

/** @param listeners links of the host that follow router advertisements */
export function planForwarding(listeners: readonly string[]): Step[] {
  return [
    // 2: accept them even when this host forwards, which would otherwise remove the routes that it has learned.
    ...listeners.map((link) =>
      sysctl(`ipv6/conf/${link}/accept_ra`, "2", `${link} goes on following its router's advertisements`),
    ),
    sysctl("ipv4/ip_forward", "1", "containers reach the world through this host"),
    sysctl("ipv6/conf/all/forwarding", "1", "containers reach the world through this host"),
  ];
}

export interface BridgeInput {
  readonly networkId: string;
  readonly linkName: string;
  readonly mtu: number;
}

/** The bridge as a link, without addresses. The kernel chooses its number. An existing bridge stays. */
export function planBridge({ networkId, linkName, mtu }: BridgeInput): Step[] {
  return [
    {
      op: "try-netlink",
      protocol: NETLINK_ROUTE,
      messages: encodeRequests([createBridge({ name: linkName, mac: macFrom(networkId), mtu })]),
      why: "the network's bridge: every container of it is plugged in here",
    },
    ...planSurvey().slice(0, 1),
  ];
}

/**
 * @param gateways the host's own addresses in the network, with its prefixes
 * @param isOpen its containers may talk to each other
 */
export function planBridgeAddresses(
  linkName: string,
  linkIndex: number,
  gateways: readonly Subnet[],
  isOpen: boolean,
): Step[] {
  const hasV6 = gateways.some(({ address }) => address.version === 6);
  return [
    sysctl(`ipv6/conf/${linkName}/accept_ra`, "0", "nobody inside may tell the host where its routes lead"),
    ...(hasV6 ? [sysctl(`ipv6/conf/${linkName}/disable_ipv6`, "0", "this network has IPv6")] : []),
    loopbackRouting(linkName, true),
    ...(isOpen ? [] : [answerForOthers(linkName)]),
    {
      op: "try-netlink",
      protocol: NETLINK_ROUTE,
      messages: encodeRequests([...gateways.map((gateway) => addAddress(linkIndex, gateway)), linkUp(linkName)]),
      why: "the host is the network's gateway",
    },
  ];
}

/** For isolated ports: packets between containers go through the host, whose rules decide about them (RFC 3069). */
function answerForOthers(linkName: string): Step {
  return sysctl(
    `ipv4/conf/${linkName}/proxy_arp_pvlan`,
    "1",
    "containers find each other by the host alone, whose rules open what their links lead to",
  );
}

/** Off while the rules that keep it within bounds are not there. */
export function loopbackRouting(linkName: string, isOn: boolean): Step {
  return sysctl(
    `ipv4/conf/${linkName}/route_localnet`,
    isOn ? "1" : "0",
    isOn
      ? "127.0.0.1:PORT of the host leads to a published port (the ruleset keeps the rest of 127.0.0.0/8 away)"
      : "without the ruleset nothing keeps containers away from the host's 127.0.0.0/8",
  );
}

export function planBridgeRemoval(linkName: string): Step[] {
  return [removeLinks([linkName], "the network is gone, and its bridge with it")];
}

/** Removes links, which may be gone already. */
export function removeLinks(names: readonly string[], why: string): Step {
  return { op: "try-netlink", protocol: NETLINK_ROUTE, messages: encodeRequests(names.map(deleteLink)), why };
}

/** Sets a parameter of the network namespace that the step's process is in; ignored on a machine without it (no IPv6). */
export function sysctl(key: string, value: string, why: string): Step {
  return { op: "try-write", path: `/proc/sys/net/${key}`, data: encoder.encode(value), why };
}
