/**
 * firewalld forwards what a link's zone allows, and rejects the rest. Links of other programs are bound to a zone while it runs
 * (firewalld.dbus(5)), as Docker and Podman do. Pure: takes firewalld's answers, and gives what to request and to report.
 */

import type { Chain } from "../kernel/netlink/nft-chains.ts";

/** The administrator's zone for our bridges, if there is one. */
const OWN_ZONE = "orlop";
/** A zone of firewalld's own that accepts everything, so that only our rules refuse anything. */
const USUAL_ZONE = "trusted";

/** The zones of one of our bridges. */
export interface Binding {
  readonly bridge: string;
  /** In the permanent configuration, which is the administrator's choice. "": none. */
  readonly configured: string;
  /** In the running configuration; "": none. */
  readonly zone: string;
}

/** Its rules are there: in its own table, or with the backend iptables in chains of its own (before 1.0 the second one). */
export function hasFirewalld(chains: readonly Chain[]): boolean {
  const ownChains = ["FORWARD_ZONES", "FORWARD_IN_ZONES"];
  return chains.some(({ table, name }) => table === "firewalld" || ownChains.includes(name));
}

export function zoneAmong(zones: readonly string[]): string {
  return zones.includes(OWN_ZONE) ? OWN_ZONE : USUAL_ZONE;
}

/** Bridges to bind: those that neither the administrator nor anybody else has put into a zone. */
export function unboundOf(bindings: readonly Binding[]): string[] {
  return bindings.filter(({ configured, zone }) => configured === "" && zone === "").map(({ bridge }) => bridge);
}

/** Bridges that we have bound: those in the permanent configuration are the administrator's. */
export function boundBy(zone: string, bindings: readonly Binding[]): string[] {
  return bindings.filter((one) => one.configured === "" && one.zone === zone).map(({ bridge }) => bridge);
}

/** For people: the state after all unbound bridges were bound. */
export function describeBindings(zone: string, bindings: readonly Binding[]): string {
  const isOurs = (one: Binding): boolean => one.configured === "" && (one.zone === "" || one.zone === zone);
  const ours = bindings.filter(isOurs).map(({ bridge }) => bridge);
  const others = bindings
    .filter((one) => !isOurs(one))
    .map(
      ({ bridge, configured, zone: now }) => `${bridge} is in the zone ${now || configured}, as somebody else wants it`,
    );
  const bound = ours.length === 0 ? [] : [`Orlop has bound ${ours.join(", ")} to the zone ${zone}`];
  return `firewalld forwards what a link's zone allows: ${[...bound, ...others].join("; ")}`;
}

/** For people: containers are cut off. */
export function describeUnbound(reason: string, bridges: readonly string[]): string {
  const flags = bridges.map((bridge) => `--add-interface=${bridge}`).join(" ");
  return `firewalld forwards what a link's zone allows, and Orlop has not bound its bridges to one (${reason}): containers are cut off until somebody runs: firewall-cmd --permanent --zone=${USUAL_ZONE} ${flags}, then firewall-cmd --reload`;
}
