/**
 * The static ruleset, in a table of our own, installed once, as text, by `nft`. Networks and ports are elements of its sets and maps,
 * which are changed by netlink: a packet costs the same with one published port as with ten thousand.
 */

import { addressBytes, firstOf, formatAddress, type IpAddress, lastOf, type Subnet } from "../base/ip-address.ts";
import { seeded } from "../base/point.ts";
import { linkNameBytes, portBytes, type SetChange, type SetElement } from "../kernel/netlink/nftables.ts";

/** What the rules need to know about a bridge. */
export interface RuledNetwork {
  readonly linkName: string;
  readonly subnets: readonly Subnet[];
  /** Nothing gets in or out. */
  readonly isInternal: boolean;
  /** Its containers may talk to each other. */
  readonly isOpen: boolean;
  /** Masquerade: packets that leave the host get its address. */
  readonly isMasqueraded: boolean;
}

export type PortProtocol = "tcp" | "udp" | "sctp";

/** A published port: a port of the host that leads to a port of a container. */
export interface ForwardedPort {
  readonly protocol: PortProtocol;
  /** undefined: every address of the host, of the version that `to` has. */
  readonly hostAddress: IpAddress | undefined;
  readonly hostPort: number;
  readonly to: IpAddress;
  readonly toPort: number;
}

/** A port that a link (`--link`) opens between two containers of a network whose containers may not talk to each other. */
export interface OpenedPort {
  readonly from: IpAddress;
  readonly to: IpAddress;
  readonly protocol: PortProtocol;
  readonly port: number;
}

/** The elements of the sets and maps. */
export interface RuleState {
  readonly networks: readonly RuledNetwork[];
  readonly ports: readonly ForwardedPort[];
  readonly opened: readonly OpenedPort[];
  /** Links of the host between which nothing may be forwarded, because forwarding was off before Orlop turned it on. */
  readonly uplinks: readonly string[];
}

/** The whole table, which replaces the existing one in one transaction. */
export function rulesetText(table: string, state: RuleState): string {
  const { networks, ports, opened } = state;
  const all = [
    ...networkElements(networks),
    ...portElements(ports),
    ...openedElements(opened),
    ...uplinkElements(state.uplinks),
  ];
  const of = (set: string): string => {
    const elements = all.filter((change) => change.set === set).flatMap((change) => change.texts);
    return elements.length === 0 ? "" : `elements = { ${elements.join(", ")} }`;
  };
  return `table inet ${table} {}
delete table inet ${table}
table inet ${table} {
  comment "made by orlop: what is changed here is put back"
  set bridges { type ifname; ${of("bridges")} }
  set internal { type ifname; ${of("internal")} }
  set masqueraded { type ifname; ${of("masqueraded")} }
  set uplinks { type ifname; ${of("uplinks")} }
  set inside { type ifname . ifname; ${of("inside")} }
  set closed { type ifname . ifname; ${of("closed")} }
  set opened4 { type ipv4_addr . ipv4_addr . inet_proto . inet_service; ${of("opened4")} }
  set own4 { type ipv4_addr . ifname; flags interval; ${of("own4")} }
  set own6 { type ipv6_addr . ifname; flags interval; ${of("own6")} }
  map ports4 { type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service; ${of("ports4")} }
  map ports4_any { type inet_proto . inet_service : ipv4_addr . inet_service; ${of("ports4_any")} }
  map ports6 { type inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service; ${of("ports6")} }
  map ports6_any { type inet_proto . inet_service : ipv6_addr . inet_service; ${of("ports6_any")} }

  # route_localnet is on for the bridges (127.0.0.1:PORT leads to containers): the host's loopback stays out of their reach
  chain early {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip daddr 127.0.0.0/8 drop
    iifname @bridges ip saddr 127.0.0.0/8 drop
  }
  chain publish {
    meta l4proto { tcp, udp, sctp } dnat ip to meta l4proto . ip daddr . th dport map @ports4
    meta l4proto { tcp, udp, sctp } dnat ip6 to meta l4proto . ip6 daddr . th dport map @ports6
    meta l4proto { tcp, udp, sctp } fib daddr type local dnat ip to meta l4proto . th dport map @ports4_any
    meta l4proto { tcp, udp, sctp } fib daddr type local dnat ip6 to meta l4proto . th dport map @ports6_any
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    # what comes in for loopback is a neighbour's try: led to a container here, it would never meet the kernel's refusal
    ip daddr 127.0.0.0/8 return
    jump publish
  }
  chain output {
    type nat hook output priority -100; policy accept;
    # ::1 cannot be led out of loopback: netd listens there
    ip6 daddr ::1 return
    jump publish
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname . oifname @inside accept
    # --link where containers may not talk to each other: the bridge leads what they send each other through here
    iifname . oifname @closed ip saddr . ip daddr . meta l4proto . th dport @opened4 accept
    iifname @internal drop
    oifname @internal drop
    oifname @bridges ct state established,related accept
    oifname @bridges ct status dnat accept
    ${seeded("network.forward") ? "" : "oifname @bridges drop"}
    iifname @uplinks oifname @uplinks ct state new drop
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname @internal fib daddr . iif type unicast drop
    iifname @internal fib daddr . iif type != { local, broadcast, multicast, anycast } drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr . oifname @own4 ct status dnat masquerade
    ip6 saddr . oifname @own6 ct status dnat masquerade
    ip saddr 127.0.0.0/8 oifname @bridges masquerade
    iifname @masqueraded oifname != @bridges masquerade
  }
}
`;
}

/** The elements of one set, for netlink and as text. */
interface Elements extends SetChange {
  readonly texts: readonly string[];
}

export function networkElements(networks: readonly RuledNetwork[]): Elements[] {
  return networks.flatMap(({ linkName, subnets, isInternal, isOpen, isMasqueraded }) => {
    const name = linkNameBytes(linkName);
    const written = JSON.stringify(linkName);
    return [
      elements("bridges", { key: [name] }, written),
      elements(isOpen ? "inside" : "closed", { key: [name, name] }, `${written} . ${written}`),
      ...(isInternal ? [elements("internal", { key: [name] }, written)] : []),
      ...(isMasqueraded && !isInternal ? [elements("masqueraded", { key: [name] }, written)] : []),
      ...subnets.map((subnet) => {
        const [first, last] = [firstOf(subnet), lastOf(subnet)];
        return elements(
          `own${subnet.address.version}`,
          { key: [addressBytes(first), name], keyEnd: [addressBytes(last), name] },
          `${formatAddress(first)}/${subnet.prefix} . ${written}`,
        );
      }),
    ];
  });
}

const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 } as const satisfies Record<PortProtocol, number>;

export function portElements(ports: readonly ForwardedPort[]): Elements[] {
  const bySet = Map.groupBy(
    ports,
    ({ to, hostAddress }) => `ports${to.version}${hostAddress === undefined ? "_any" : ""}`,
  );
  const bytesOf = rememberedBytes();
  return [...bySet].map(([set, own]) => ({
    set,
    elements: own.map((port) => portElement(port, bytesOf)),
    get texts() {
      return own.map(portText); // of a thousand ports not made where nobody reads them
    },
  }));
}

export function openedElements(opened: readonly OpenedPort[]): Elements[] {
  return opened.map(({ from, to, protocol, port }) => {
    const key = [addressBytes(from), addressBytes(to), Uint8Array.of(protocolNumbers[protocol]), portBytes(port)];
    return elements("opened4", { key }, [formatAddress(from), formatAddress(to), protocol, port].join(" . "));
  });
}

function portElement(
  { protocol, hostAddress, hostPort, to, toPort }: ForwardedPort,
  bytesOf: (address: IpAddress) => Uint8Array,
): SetElement {
  const own = hostAddress === undefined ? [] : [bytesOf(hostAddress)];
  return {
    key: [Uint8Array.of(protocolNumbers[protocol]), ...own, portBytes(hostPort)],
    value: [bytesOf(to), portBytes(toPort)],
  };
}

/** Cached, because all ports of a range lead to the same address. */
function rememberedBytes(): (address: IpAddress) => Uint8Array {
  const known = new Map<IpAddress, Uint8Array>();
  return (address) => {
    const bytes = known.get(address) ?? addressBytes(address);
    known.set(address, bytes);
    return bytes;
  };
}

function portText({ protocol, hostAddress, hostPort, to, toPort }: ForwardedPort): string {
  const own = hostAddress === undefined ? [] : [formatAddress(hostAddress)];
  return `${[protocol, ...own, hostPort].join(" . ")} : ${formatAddress(to)} . ${toPort}`;
}

function uplinkElements(uplinks: readonly string[]): Elements[] {
  return uplinks.map((name) => elements("uplinks", { key: [linkNameBytes(name)] }, JSON.stringify(name)));
}

function elements(set: string, element: SetElement, text: string): Elements {
  return { set, elements: [element], texts: [text] };
}
