/** The host's side of all networks: forwarding, the ruleset, bridges. Set up when the first container needs it. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { OrlopError } from "../../base/errors.ts";
import type { Subnet } from "../../base/ip-address.ts";
import { log } from "../../base/log.ts";
import { point } from "../../base/point.ts";
import { Serial } from "../../base/serial.ts";
import type { Executor } from "../../kernel/executor.ts";
import type { HostChange, Netd } from "../../kernel/netd.ts";
import { type Link, parseLinks, parseRoutes, type Route } from "../../kernel/netlink/list.ts";
import type { Step } from "../../kernel/step.ts";
import { isBridgeName, type LinkNames } from "../../network/link-names.ts";
import {
  loopbackRouting,
  planBridge,
  planBridgeAddresses,
  planBridgeRemoval,
  planForwarding,
  planSurvey,
  removeLinks,
} from "../../network/plan-bridge.ts";
import { readText } from "../machine.ts";
import { HostRules } from "./host-rules.ts";
import type { Network } from "./network.ts";
import { type ForeseenPassages, legacyVersions, OtherFirewalls } from "./other-firewalls.ts";

export interface HostNetworkOptions {
  readonly executor: Executor;
  readonly netd: Netd;
  readonly names: LinkNames;
  readonly runDir: string;
  /** `src/kernel/nft.ts`. @throws {OrlopError} nft_missing, nft_failed */
  installRules(text: string): Promise<void>;
}

export interface Survey {
  readonly links: readonly Link[];
  readonly routes: readonly Route[];
}

export class HostNetwork {
  /** Orlop's own nftables table. */
  readonly rules: HostRules;
  readonly #executor: Executor;
  readonly #names: LinkNames;
  readonly #runDir: string;
  /** Bridges that exist, by network id. */
  readonly #bridges = new Map<string, { readonly network: Network; readonly index: Promise<number> }>();
  readonly #netd: Netd;
  readonly #others: OtherFirewalls;
  /** Serialises everything that installs or checks rules. */
  readonly #ruleChanges = new Serial();
  #prepared: Promise<void> | undefined;

  constructor({ executor, netd, names, runDir, installRules }: HostNetworkOptions) {
    this.rules = new HostRules({ executor, table: names.table, installRules, uplinks: () => this.#uplinks() });
    this.#executor = executor;
    this.#netd = netd;
    this.#others = new OtherFirewalls(executor, names);
    this.#names = names;
    this.#runDir = runDir;
  }

  async survey(): Promise<Survey> {
    const values = await this.#executor.run(planSurvey());
    return {
      links: parseLinks(values.get(0) ?? new Uint8Array()),
      routes: parseRoutes(values.get(1) ?? new Uint8Array()),
    };
  }

  /** The interface index of the network's bridge, which is made if it does not exist. @throws {OrlopError} nft_missing … */
  async bridgeIndex(network: Network): Promise<number> {
    const known = this.#bridges.get(network.id);
    if (known !== undefined) return known.index;
    this.rules.expect(network);
    const index = this.#makeBridge(network);
    this.#bridges.set(network.id, { network, index });
    index.catch(() => {
      this.#bridges.delete(network.id);
      this.rules.giveUp(network);
    });
    return index;
  }

  async #makeBridge(network: Network): Promise<number> {
    const { linkName, id } = network.record;
    await this.#prepare();
    if (!this.#others.covers(linkName)) await this.#ruleChanges.run(() => this.#passOthers());
    point("network.bridge.begun");
    const values = await this.#executor.run(planBridge({ networkId: id, linkName, mtu: network.bridge.mtu }));
    const link = parseLinks(values.get(1) ?? new Uint8Array()).find(({ name }) => name === linkName);
    if (link?.kind !== "bridge")
      throw OrlopError.of("link_in_use", { name: linkName, network: link?.kind || "hardware" });
    point("network.bridge.made");
    await this.#executor.run([
      ...planBridgeAddresses(linkName, link.index, network.gateways, network.bridge.isOpen),
      this.rules.planNetwork(network),
    ]);
    return link.index;
  }

  async removeBridge(network: Network): Promise<void> {
    const { linkName } = network.record;
    this.#bridges.delete(network.id);
    await this.rules.forget(network);
    await this.#executor.run(planBridgeRemoval(linkName));
    if (this.wasUsed) await this.#ruleChanges.run(() => this.#others.release([linkName]));
  }

  // ── explain ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The steps that would make the network's bridge; none if it exists. */
  planMissingBridge(network: Network): Step[] {
    if (this.#bridges.has(network.id)) return [];
    const { linkName, id } = network.record;
    const { mtu, isOpen } = network.bridge;
    return [
      ...(this.#prepared === undefined ? planForwarding(advertisedLinks()) : []),
      ...planBridge({ networkId: id, linkName, mtu }).slice(0, 1),
      ...planBridgeAddresses(linkName, 0, network.gateways, isOpen),
      this.rules.planNetwork(network),
    ];
  }

  /** The rules that would be added to the host's other firewalls. */
  async foresee(networks: readonly Network[]): Promise<ForeseenPassages> {
    const known = [...this.#bridges.values()].map(({ network }) => network);
    const bridges = [...known, ...networks].map(({ record }) => record.linkName);
    return this.#others.foresee({ survey: await this.survey(), bridges: [...new Set(bridges)] });
  }

  // ── other firewalls ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Messages about the host's other firewalls, where they affect Orlop's networks. */
  get reports(): readonly string[] {
    return this.#others.reports;
  }

  /** Checks the rules of iptables-legacy, of whose changes the kernel sends no notification. */
  async lookAtLegacy(): Promise<void> {
    const isOf = this.reports.some((text) => text.includes("tables-legacy"));
    if (this.#prepared !== undefined && (isOf || legacyVersions().length > 0))
      await this.#ruleChanges.run(() => this.#passOthers());
  }

  #watch(): Promise<void> {
    this.#netd.onChange = (change) => {
      const movesPassages = change.addresses && this.reports.length > 0;
      if (change.ownRules || change.ownElements || change.otherRules || movesPassages)
        this.#ruleChanges
          .run(() => this.#repair(change))
          .catch((error: unknown) => log("error", "the host's firewall rules", error));
    };
    return this.#netd.watchRules(this.#names.table);
  }

  /** After a change of rules: restores Orlop's own table, and its passages through other firewalls. */
  async #repair({ ownRules, ownElements }: HostChange): Promise<void> {
    if (this.#prepared === undefined) return;
    if (ownElements || (ownRules && !(await this.rules.areUntouched()))) {
      log("warn", `somebody has changed the nftables table inet ${this.#names.table}: it is installed again`);
      const bridges = [...this.#bridges.values()].map(({ network }) => network.record.linkName);
      await this.#executor.run(bridges.map((name) => loopbackRouting(name, false)));
      await this.rules.install();
      await this.#executor.run(bridges.map((name) => loopbackRouting(name, true)));
      point("network.rules.repaired");
    }
    await this.#passOthers();
  }

  /** A failure means that others' rules are changing at this moment; netd will report that change, so no start fails or waits for it. */
  async #passOthers(): Promise<void> {
    const bridges = [...this.#bridges.values()].map(({ network }) => network.record.linkName);
    try {
      await this.#others.refresh({ survey: await this.survey(), bridges });
    } catch (error) {
      log("warn", "other firewalls' rules", error);
    }
    point("network.others.passed");
  }

  #prepare(): Promise<void> {
    this.#prepared ??= this.#prepareOnce().catch((error: unknown) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  async #prepareOnce(): Promise<void> {
    const forwards = readText("/proc/sys/net/ipv4/ip_forward")?.trim() === "1";
    if (!forwards || !this.wasUsed) {
      // A host that did not forward before must not begin to forward between its own links because of Orlop.
      const { links } = await this.survey();
      const uplinks = links.filter(({ kind, name }) => kind === "" && name !== "lo").map(({ name }) => name);
      writeFileSync(this.#guardedFile, JSON.stringify(forwards ? [] : uplinks), { mode: 0o600 });
    }
    await this.#ruleChanges.run(() => this.rules.install());
    point("network.rules.installed");
    await this.#watch();
    await this.#ruleChanges.run(() => this.#passOthers());
    await this.#executor.run(planForwarding(advertisedLinks()));
  }

  /** Whether bridges have been used since the host booted. */
  get wasUsed(): boolean {
    return existsSync(this.#guardedFile);
  }

  get #guardedFile(): string {
    return `${this.#runDir}/guarded-links.json`;
  }

  #uplinks(): string[] {
    const text = readText(this.#guardedFile);
    return text === undefined ? [] : (JSON.parse(text) as string[]);
  }

  /** Removes bridges of networks that no longer exist, whose removal an earlier engine did not finish. */
  async removeStrays({ links }: Survey, known: ReadonlySet<string>): Promise<void> {
    const strays = links.filter(({ name }) => isBridgeName(this.#names, name) && !known.has(name));
    for (const { name } of strays) await this.#executor.run(planBridgeRemoval(name));
  }

  /**
   * Removes everything, when no container needs it.
   *
   * @param bridges of all networks, including those that only an earlier engine has used
   */
  async dismantle(bridges: readonly string[]): Promise<void> {
    if (this.#prepared === undefined && !this.wasUsed) return;
    await this.#executor.run([removeLinks(bridges, "no container is in a network any more")]);
    this.#bridges.clear();
    this.#prepared = undefined;
    await this.#netd.watchRules(undefined);
    await this.#ruleChanges.run(() => this.#others.remove(bridges));
    await this.rules.remove();
  }
}

/** Links with routes from router advertisements (RTF_ADDRCONF in /proc/net/ipv6_route). */
function advertisedLinks(): string[] {
  const lines = (readText("/proc/net/ipv6_route") ?? "").split("\n").map((line) => line.trim().split(/\s+/));
  const RTF_ADDRCONF = 0x0004_0000;
  const found = lines.filter((words) => (Number.parseInt(words[8] ?? "0", 16) & RTF_ADDRCONF) !== 0);
  return [...new Set(found.flatMap((words) => words[9] ?? []))].filter(followsAdvertisements);
}

function followsAdvertisements(link: string): boolean {
  return readText(`/proc/sys/net/ipv6/conf/${link}/accept_ra`)?.trim() === "1";
}

/** Whether this host can have IPv6 addresses at all. */
export function hasIpv6(): boolean {
  try {
    return readFileSync("/proc/sys/net/ipv6/conf/all/disable_ipv6", "utf8").trim() === "0";
  } catch {
    return false;
  }
}

/** The destinations of the host's routes, without default routes. */
export function routedSubnets({ routes }: Survey): Subnet[] {
  return routes.filter(({ to }) => to.prefix > 0).map(({ to }) => to);
}
