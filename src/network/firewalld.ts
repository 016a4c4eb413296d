/**
 * firewalld: it forwards what a link's zone allows, and rejects the rest. Its place for links of others is a zone, which they are
 * bound to while it runs (firewalld.dbus(5)), as Docker and Podman do. Pure: what it says in, what to ask for and to tell out.
 */

import type { Chain } from "../kernel/netlink/nft-chains.ts";

/** The administrator's own zone for our bridges, where there is one. */
const OWN_ZONE = "orlop";
/** firewalld brings it: everything is accepted, so that our own rules alone say what is not. */
const USUAL_ZONE = "trusted";

/** Where firewalld has one of our bridges. */
export interface Binding {
  readonly bridge: string;
  /** In its permanent configuration: where the administrator wants it. "": nowhere. */
  readonly configured: string;
  /** As it runs now; "" when it knows nothing of it. */
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

/** Those that are to be bound: of which neither the administrator nor anybody else has said where they belong. */
export function unboundOf(bindings: readonly Binding[]): string[] {
  return bindings.filter(({ configured, zone }) => configured === "" && zone === "").map(({ bridge }) => bridge);
}

/** Those that are bound by us: what the permanent configuration has is the administrator's. */
export function boundBy(zone: string, bindings: readonly Binding[]): string[] {
  return bindings.filter((one) => one.configured === "" && one.zone === zone).map(({ bridge }) => bridge);
}

/** For people: how it is when all that are unbound have been bound. */
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
