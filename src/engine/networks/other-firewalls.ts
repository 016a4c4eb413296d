/** Passages through other firewalls of the host, kept as those change: looked at when netd tells of a change, never by a clock. */

import { log } from "../../base/log.ts";
import type { Executor } from "../../kernel/executor.ts";
import type { Link, Route } from "../../kernel/netlink/list.ts";
import { listChains, listRules, parseChains, parseRules } from "../../kernel/netlink/nft-chains.ts";
import { NETLINK_NETFILTER } from "../../kernel/netlink/nftables.ts";
import type { Step } from "../../kernel/step.ts";
import type { LinkNames } from "../../network/link-names.ts";
import { changeOf, describeObstacle, type Obstacle, obstaclesIn, passagesOf } from "../../network/other-firewalls.ts";

export interface Surroundings {
  /** The host's. */
  readonly survey: { readonly links: readonly Link[]; readonly routes: readonly Route[] };
  /** The names of all bridges that are ours. */
  readonly bridges: readonly string[];
}

/** Kinds of links that lead to others' containers or machines, not out of the host. */
const inwardKinds = ["bridge", "veth", "dummy", "ifb", "macvtap"];

/** `leave`: rules of others are only reported. */
const OPT_OUT = "ORLOP_OTHER_FIREWALLS";

export class OtherFirewalls {
  readonly #executor: Executor;
  readonly #names: LinkNames;
  #obstacles: readonly Obstacle[] = [];

  constructor(executor: Executor, names: LinkNames) {
    this.#executor = executor;
    this.#names = names;
  }

  /** What was found last, in words. */
  get reports(): string[] {
    return this.#obstacles.map(describeObstacle);
  }

  /** Looks at everybody's chains, and has a passage where one is needed and can be had. */
  async refresh({ survey, bridges }: Surroundings): Promise<void> {
    const values = await this.#executor.run([list(listChains(), "whether somebody else drops what is forwarded")]);
    const found = obstaclesIn(parseChains(values.get(0) ?? new Uint8Array()), this.#names.table);
    const mayPass = process.env[OPT_OUT] !== "leave";
    const reported = found.map((obstacle) => (mayPass ? obstacle : { ...obstacle, place: undefined }));
    const uplinks = mayPass ? uplinksOf(survey) : [];
    const passages = mayPass ? passagesOf({ names: this.#names, bridges, uplinks }) : [];
    for (const obstacle of found) await this.#pass(obstacle, passages);
    this.#report(reported);
  }

  /** Takes our rules out of others' chains. */
  async remove(): Promise<void> {
    for (const obstacle of this.#obstacles) await this.#pass(obstacle, []);
    this.#obstacles = [];
  }

  async #pass({ family, table, place }: Obstacle, passages: ReturnType<typeof passagesOf>): Promise<void> {
    if (place === undefined) return;
    const chain = { family, table, name: place.chain };
    const values = await this.#executor.run([list(listRules(chain), `what is in ${place.chain} already`)]);
    const messages = changeOf(chain, parseRules(values.get(0) ?? new Uint8Array()), this.#names, passages);
    if (messages === undefined) return;
    const why = `${place.tool} drops what is forwarded: a passage for Orlop's networks, in the chain that is there for it`;
    await this.#executor.run([{ op: "netlink", protocol: NETLINK_NETFILTER, messages, why }]);
  }

  #report(found: readonly Obstacle[]): void {
    const known = new Set(this.reports);
    this.#obstacles = found;
    for (const text of this.reports) if (!known.has(text)) log("warn", text);
  }
}

/** Links that lead out of the host. Inside of somebody's container that is the end of a veth, with the default route. */
function uplinksOf({ links, routes }: Surroundings["survey"]): string[] {
  const leads = new Set(routes.filter(({ to }) => to.prefix === 0).map(({ linkIndex }) => linkIndex));
  return links
    .filter(({ master, name }) => master === 0 && name !== "lo")
    .filter(({ kind, index }) => leads.has(index) || !inwardKinds.includes(kind))
    .map(({ name }) => name);
}

function list(message: Uint8Array, why: string): Step {
  return { op: "netlink-list", protocol: NETLINK_NETFILTER, message, why };
}
