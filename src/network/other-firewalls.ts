/**
 * Other firewalls on the host: a chain of theirs that drops what is forwarded wins over our own accept. Where their tool has a
 * place for rules of others, one passage each is put there. Pure: chains in, rules out.
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

/** The chains in which a tool's documentation puts rules of others, in the order in which they are tried. */
const places: readonly { readonly chain: string; readonly tool: string }[] = [
  { chain: "DOCKER-USER", tool: "Docker" }, // docs.docker.com, "Packet filtering and firewalls"
  { chain: "ufw-user-forward", tool: "ufw" }, // where `ufw route allow` puts its rules
  { chain: "ufw6-user-forward", tool: "ufw" },
];

/** A foreign chain that drops what it does not know. (firewalld's drops nothing by policy: firewalld.ts.) */
export interface Obstacle {
  readonly family: Family;
  readonly table: string;
  readonly chain: string;
  /** Where a passage can be had; undefined: the administrator has to make one. */
  readonly place: { readonly chain: string; readonly tool: string } | undefined;
  /** Of iptables-legacy, where nothing can be put beside it: what the administrator has to run. */
  readonly remedies?: readonly string[];
}

/** A chain FORWARD of iptables-legacy whose policy is DROP. */
export interface LegacyObstacle {
  readonly version: 4 | 6;
  /** Docker's own, which it does not empty. */
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

/** @param own our table */
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

/** Whose links the passages are for. */
export interface PassageInput {
  readonly names: LinkNames;
  /** Bridges that the user has named. */
  readonly bridges: readonly string[];
  /** Links of the host that lead elsewhere: not bridges, and no ends of others' containers. */
  readonly uplinks: readonly string[];
}

/**
 * Into our bridges (our own rules say what gets further), and from them out of the host. Nothing between our bridges and those
 * of others: their walls stay.
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

/** The tag of our rules in foreign chains: whose they are, and which version of them. */
export function tagOf(names: LinkNames, passages: readonly Passage[]): string {
  const version = createHash("sha256").update(JSON.stringify(passages)).digest("hex").slice(0, 8);
  return `${names.table} forwards what its own rules allow (${version})`;
}

/** What makes this chain have the passages, and nothing else of ours; undefined when it is so already. */
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

/** As nft writes it. */
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
