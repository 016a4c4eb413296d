/** Accept rules for Orlop's bridges in other firewalls of the host. Checked again whenever netd reports a change of rules, not by polling. */

import { log } from "../../base/log.ts";
import type { Executor } from "../../kernel/executor.ts";
import type { Link, Route } from "../../kernel/netlink/list.ts";
import { listChains, listRules, parseChains, parseRules } from "../../kernel/netlink/nft-chains.ts";
import { NETLINK_NETFILTER } from "../../kernel/netlink/nftables.ts";
import type { Step } from "../../kernel/step.ts";
import { askLegacyInfo, askLegacyRules, parseLegacyInfo, parseLegacyRules } from "../../kernel/xtables.ts";
import { hasFirewalld } from "../../network/firewalld.ts";
import type { LinkNames } from "../../network/link-names.ts";
import {
  changeOf,
  describeObstacle,
  describePassage,
  type LegacyObstacle,
  legacyObstacle,
  type Obstacle,
  obstaclesIn,
  passagesOf,
} from "../../network/other-firewalls.ts";
import { readText } from "../machine.ts";
import { Firewalld } from "./firewalld.ts";

export interface Surroundings {
  /** The host's. */
  readonly survey: { readonly links: readonly Link[]; readonly routes: readonly Route[] };
  /** The names of all of Orlop's bridges. */
  readonly bridges: readonly string[];
}

export interface ForeseenPassages {
  /** Rules that are or will be in others' chains, as nft prints them; and requests to firewalld. */
  readonly rules: readonly { readonly op: string; readonly why: string; readonly rules: readonly string[] }[];
  /** Messages about chains in which no rule can be added. */
  readonly reports: readonly string[];
}

/** Kinds of links that lead to containers or virtual machines, not out of the host. */
const inwardKinds = ["bridge", "veth", "dummy", "ifb", "macvtap"];

/** `leave`: other firewalls are only reported, never changed. */
const OPT_OUT = "ORLOP_OTHER_FIREWALLS";

export class OtherFirewalls {
  readonly #executor: Executor;
  readonly #names: LinkNames;
  #obstacles: readonly Obstacle[] = [];
  readonly #firewalld = new Firewalld(() => (mayPass() ? undefined : `${OPT_OUT}=leave`));
  /** Bridges that have their rules. */
  #bridges: readonly string[] = [];

  constructor(executor: Executor, names: LinkNames) {
    this.#executor = executor;
    this.#names = names;
  }

  /** Messages of the last check. */
  get reports(): string[] {
    const { report } = this.#firewalld;
    return [...this.#obstacles.map(describeObstacle), ...(report === undefined ? [] : [report])];
  }

  /** Whether this bridge needs no further rules. */
  covers(bridge: string): boolean {
    return this.reports.length === 0 || this.#bridges.includes(bridge);
  }

  /** Checks all chains, and adds accept rules where they are needed and possible. */
  async refresh(surroundings: Surroundings): Promise<void> {
    const { obstacles, passages, isFirewalldThere } = await this.#look(surroundings);
    for (const obstacle of obstacles) await this.#pass(obstacle, passages);
    const known = new Set(this.reports);
    if (isFirewalldThere) await this.#firewalld.bind(surroundings.bridges);
    else this.#firewalld.isGone();
    this.#obstacles = obstacles.map((obstacle) => (mayPass() ? obstacle : { ...obstacle, place: undefined }));
    this.#bridges = surroundings.bridges;
    for (const text of this.reports) if (!known.has(text)) log("warn", text);
  }

  /** What `refresh` would do. Changes nothing. */
  async foresee(surroundings: Surroundings): Promise<ForeseenPassages> {
    const { obstacles, passages, isFirewalldThere } = await this.#look(surroundings);
    const shown = obstacles.map((obstacle) => (mayPass() ? obstacle : { ...obstacle, place: undefined }));
    const rules = shown.flatMap(({ family, table, place }) =>
      place === undefined
        ? []
        : {
            op: "netlink",
            why: whyOf(place),
            rules: passages.map(
              (passage) => `insert rule ${family} ${table} ${place.chain} ${describePassage(passage)}`,
            ),
          },
    );
    const reports = shown.filter(({ place }) => place === undefined).map(describeObstacle);
    if (!isFirewalldThere) return { rules, reports };
    const { calls, zone, report } = await this.#firewalld.foresee(surroundings.bridges);
    const why = `firewalld forwards what a link's zone allows: Orlop's bridges are bound to ${zone} while it runs`;
    return {
      rules: [...rules, ...(calls.length === 0 ? [] : [{ op: "D-Bus", why, rules: calls }])],
      reports: [...reports, ...(report === undefined ? [] : [report])],
    };
  }

  async #look({ survey, bridges }: Surroundings) {
    const values = await this.#executor.run([list(listChains(), "whether somebody else drops what is forwarded")]);
    const chains = parseChains(values.get(0) ?? new Uint8Array());
    const found = obstaclesIn(chains, this.#names.table);
    const passages = passagesOf({ names: this.#names, bridges, uplinks: uplinksOf(survey) });
    const legacy = (await this.#lookAtLegacy()).map((one) => legacyObstacle(one, passages));
    return {
      obstacles: [...found, ...legacy],
      passages: mayPass() ? passages : [],
      isFirewalldThere: hasFirewalld(chains),
    };
  }

  async #lookAtLegacy(): Promise<LegacyObstacle[]> {
    const found: LegacyObstacle[] = [];
    const answer = async (step: Step) => (await this.#executor.run([step])).get(0) ?? new Uint8Array();
    for (const version of legacyVersions()) {
      try {
        const info = parseLegacyInfo(await answer(askLegacyInfo(version)));
        const rules = parseLegacyRules(version, info, await answer(askLegacyRules(version, info)));
        if (rules.dropsForwarded) found.push({ version, hasDockersPlace: rules.hasChain("DOCKER-USER") });
      } catch (error) {
        // The table is being rewritten, or is too large for one answer: no start fails because of that.
        log("warn", `the rules of iptables-legacy (IPv${version}) could not be read`, error);
      }
    }
    return found;
  }

  /** Removes Orlop's rules from others' chains, and these bridges from firewalld's zone, whichever engine has added them. */
  async remove(bridges: readonly string[]): Promise<void> {
    const { obstacles } = await this.#look({ survey: { links: [], routes: [] }, bridges: [] });
    for (const obstacle of obstacles) await this.#pass(obstacle, []);
    await this.release(bridges);
    this.#obstacles = [];
    this.#firewalld.isGone();
    this.#bridges = [];
  }

  /** Removes bridges that no longer exist from firewalld's zone: later links of these names must not be in it. */
  async release(bridges: readonly string[]): Promise<void> {
    this.#bridges = this.#bridges.filter((bridge) => !bridges.includes(bridge));
    if (bridges.length === 0) return;
    const values = await this.#executor.run([list(listChains(), "whether firewalld is there")]);
    if (hasFirewalld(parseChains(values.get(0) ?? new Uint8Array()))) await this.#firewalld.release(bridges);
  }

  async #pass({ family, table, place }: Obstacle, passages: ReturnType<typeof passagesOf>): Promise<void> {
    if (place === undefined) return;
    const chain = { family, table, name: place.chain };
    const values = await this.#executor.run([list(listRules(chain), `what is in ${place.chain} already`)]);
    const messages = changeOf(chain, parseRules(values.get(0) ?? new Uint8Array()), this.#names, passages);
    if (messages === undefined) return;
    await this.#executor.run([{ op: "netlink", protocol: NETLINK_NETFILTER, messages, why: whyOf(place) }]);
  }
}

/** IP versions for which iptables-legacy has a table "filter". (Asking the kernel for a table that does not exist would create it.) */
export function legacyVersions(): (4 | 6)[] {
  const files = { 4: "/proc/net/ip_tables_names", 6: "/proc/net/ip6_tables_names" } as const;
  return ([4, 6] as const).filter((version) => readText(files[version])?.split("\n").includes("filter"));
}

function mayPass(): boolean {
  return process.env[OPT_OUT] !== "leave";
}

function whyOf({ tool }: { readonly tool: string }): string {
  return `${tool} drops what is forwarded: a passage for Orlop's networks, in the chain that is there for it`;
}

/** Links that lead out of the host. Inside a container, that is the veth with the default route. */
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
