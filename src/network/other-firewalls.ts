/**
 * Other firewalls on the host: a drop in one of their forward chains wins over our accept. Where their tool has a chain for rules of
 * others, we put accepting rules ("passages") there. Pure: chains in, rules out.
 */

import { createHash } from "node:crypto";
import {
  type Chain,
  deleteRule,
  type Family,
  insertAccept,
  type LinkMatch,
  type Passage,
  type RuleHandle,
} from "../kernel/netlink/nft-chains.ts";
import { encodeBatch } from "../kernel/netlink/nftables.ts";
import type { LinkNames } from "./link-names.ts";

/** Chains that the tools document for rules of others, in the order in which they are tried. */
const places: readonly { readonly chain: string; readonly tool: string }[] = [
  { chain: "DOCKER-USER", tool: "Docker" }, // docs.docker.com, "Packet filtering and firewalls"
  { chain: "ufw-user-forward", tool: "ufw" }, // where `ufw route allow` puts its rules
  { chain: "ufw6-user-forward", tool: "ufw" },
];

/** A chain of another firewall that drops forwarded packets by policy. (firewalld's does not: firewalld.ts.) */
export interface Obstacle {
  readonly family: Family;
  readonly table: string;
  readonly chain: string;
  /** The chain in which passages can be put; undefined: the administrator has to add a rule. */
  readonly place: { readonly chain: string; readonly tool: string } | undefined;
  /** For iptables-legacy, to which we cannot add rules: the command that the administrator has to run. */
  readonly remedies?: readonly string[];
}

/** A chain FORWARD of iptables-legacy whose policy is DROP. */
export interface LegacyObstacle {
  readonly version: 4 | 6;
  /** Docker's own chain, which Docker never flushes. */
  readonly hasDockersPlace: boolean;
}

export function legacyObstacle({ version, hasDockersPlace }: LegacyObstacle, passages: readonly Passage[]): Obstacle {
  const program = version === 4 ? "iptables-legacy" : "ip6tables-legacy";
  const chain = hasDockersPlace ? "DOCKER-USER" : "FORWARD";
  const written = ({ name, isPrefix }: LinkMatch): string => `${name}${isPrefix ? "+" : ""}`;
  const remedies = passages.map(({ from, to }) =>
    [
      `${program} -I ${chain}`,
      ...(from === undefined ? [] : [`-i ${written(from)}`]),
      ...(to === undefined ? [] : [`-o ${written(to)}`]),
      "-j ACCEPT",
    ].join(" "),
  );
  return { family: version === 4 ? "ip" : "ip6", table: "filter", chain: "FORWARD", place: undefined, remedies };
}

/** @param own the name of our table */
export function obstaclesIn(chains: readonly Chain[], own: string): Obstacle[] {
  return chains
    .filter(({ table, hook, drops }) => table !== own && hook === "forward" && drops)
    .map(({ family, table, name }) => ({
      family,
      table,
      chain: name,
      place: places.find((place) =>
        chains.some((one) => one.family === family && one.table === table && one.name === place.chain),
      ),
    }));
}

/** The links that the passages are for. */
export interface PassageInput {
  readonly names: LinkNames;
  /** Bridges whose names the user chose. */
  readonly bridges: readonly string[];
  /** Links of the host that lead outside: neither bridges nor ends of containers' links. */
  readonly uplinks: readonly string[];
}

/**
 * Accepts packets into our bridges (our own rules decide further), and from them out of the host. Nothing between our bridges and those
 * of others: their isolation stays.
 */
export function passagesOf({ names, bridges, uplinks }: PassageInput): Passage[] {
  const ours: LinkMatch[] = [
    { name: names.bridgePrefix, isPrefix: true },
    ...(names.defaultBridge.startsWith(names.bridgePrefix) ? [] : [{ name: names.defaultBridge, isPrefix: false }]),
    ...bridges
      .filter((name) => !name.startsWith(names.bridgePrefix) && name !== names.defaultBridge)
      .map((name) => ({ name, isPrefix: false })),
  ];
  return [
    ...ours.map((to) => ({ to })),
    ...ours.flatMap((from) => uplinks.map((name) => ({ from, to: { name, isPrefix: false } }))),
  ];
}

/** The comment that marks our rules in foreign chains: our table's name, and their version. */
export function tagOf(names: LinkNames, passages: readonly Passage[]): string {
  const version = createHash("sha256").update(JSON.stringify(passages)).digest("hex").slice(0, 8);
  return `${names.table} forwards what its own rules allow (${version})`;
}

/** The changes after which this chain has exactly our passages; undefined when it has already. */
export function changeOf(
  chain: Pick<Chain, "family" | "table" | "name">,
  rules: readonly RuleHandle[],
  names: LinkNames,
  passages: readonly Passage[],
): Uint8Array | undefined {
  const tag = tagOf(names, passages);
  const ours = rules.filter(({ comment }) => comment.startsWith(`${names.table} forwards `));
  if (ours.length === passages.length && ours.every(({ comment }) => comment === tag)) return undefined;
  const requests = [
    ...ours.map((rule) => deleteRule(chain, rule)),
    ...passages.map((passage) => insertAccept(chain, passage, tag)),
  ];
  return requests.length === 0 ? undefined : encodeBatch(requests);
}

/** In nft's syntax. */
export function describePassage({ from, to }: Passage): string {
  const written = ({ name, isPrefix }: LinkMatch): string => JSON.stringify(isPrefix ? `${name}*` : name);
  const matches = [
    ...(from === undefined ? [] : [`iifname ${written(from)}`]),
    ...(to === undefined ? [] : [`oifname ${written(to)}`]),
  ];
  return [...matches, "accept"].join(" ");
}

/** For people. */
export function describeObstacle({ family, table, chain, place, remedies }: Obstacle): string {
  if (remedies !== undefined)
    return `the chain ${chain} of ${family}tables-legacy drops what is forwarded: containers are cut off until somebody runs: ${remedies.join("; ")}`;
  const what = `the chain ${chain} of the nftables table ${family} ${table} drops what is forwarded`;
  if (place !== undefined) return `${what}; a passage for Orlop's networks is in ${place.chain} (${place.tool})`;
  return `${what}: containers are cut off until a rule there accepts Orlop's bridges`;
}
