/** Orlop's nftables table: its networks and published ports. Installed as a whole by `nft`, then changed by set elements over netlink. */

import type { Executor } from "../../kernel/executor.ts";
import { listRules, parseRules } from "../../kernel/netlink/nft-chains.ts";
import { encodeAdd, encodeDelete, encodeDeleteEach, NETLINK_NETFILTER } from "../../kernel/netlink/nftables.ts";
import type { Step } from "../../kernel/step.ts";
import {
  type ForwardedPort,
  networkElements,
  type OpenedPort,
  openedElements,
  portElements,
  rulesetText,
} from "../../network/ruleset.ts";
import type { Network } from "./network.ts";

export interface HostRulesParts {
  readonly executor: Executor;
  /** The table's name. */
  readonly table: string;
  /** `src/kernel/nft.ts`. @throws {OrlopError} nft_missing, nft_failed */
  installRules(text: string): Promise<void>;
  /** Links of the host between which forwarding stays off. */
  uplinks(): readonly string[];
}

export class HostRules {
  readonly #parts: HostRulesParts;
  readonly #networks = new Map<string, Network>();
  /** By container id. */
  readonly #ports = new Map<string, readonly ForwardedPort[]>();
  /** By the id of the container that has the links. */
  readonly #opened = new Map<string, readonly OpenedPort[]>();
  #isInstalled = false;
  /** The handles of the table's rules when it was installed. */
  #rules = "";

  constructor(parts: HostRulesParts) {
    this.#parts = parts;
  }

  // ── networks ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Tables installed from now on include this network. */
  expect(network: Network): void {
    this.#networks.set(network.id, network);
  }

  /** Undoes `expect`, if the network's bridge could not be made. */
  giveUp(network: Network): void {
    this.#networks.delete(network.id);
  }

  planNetwork(network: Network): Step {
    return this.#netfilter(
      encodeAdd(this.#parts.table, networkElements([network.ruled])),
      "the rules know the network",
    );
  }

  async forget(network: Network): Promise<void> {
    if (this.#networks.delete(network.id))
      await this.#removeElements(networkElements([network.ruled]), "the network is gone");
  }

  // ── ports ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The step that forwards these ports to their container, for the container's plan. */
  publish(owner: string, ports: readonly ForwardedPort[]): Step[] {
    if (ports.length === 0) return [];
    this.#ports.set(owner, ports);
    return this.planPorts(ports);
  }

  planPorts(ports: readonly ForwardedPort[]): Step[] {
    if (ports.length === 0) return [];
    return [
      this.#netfilter(encodeAdd(this.#parts.table, portElements(ports)), "published ports lead to the container"),
    ];
  }

  async unpublish(owner: string): Promise<void> {
    const ports = this.#ports.get(owner);
    if (ports === undefined) return;
    this.#ports.delete(owner);
    await this.#removeElements(portElements(ports), "the ports are free again");
  }

  /** Takes over the ports of a running container: they are in the table when it is next installed. */
  adopt(owner: string, ports: readonly ForwardedPort[]): void {
    if (ports.length > 0) this.#ports.set(owner, ports);
  }

  /** Replaces the ports that a container's links open. */
  async open(owner: string, asked: readonly OpenedPort[]): Promise<void> {
    const before = this.#opened.get(owner) ?? [];
    const opened = [...byKey(asked).values()];
    if (before.length === 0 && opened.length === 0) return;
    if (opened.length === 0) this.#opened.delete(owner);
    else this.#opened.set(owner, opened);
    if (!this.#isInstalled) return; // `install` adds them
    const { gone, come } = differenceOf(before, opened);
    if (gone.length > 0) await this.#removeElements(openedElements(gone), "the link leads elsewhere, or nowhere");
    if (come.length > 0)
      await this.#parts.executor.run([
        this.#netfilter(encodeAdd(this.#parts.table, openedElements(come)), "the link opens these ports"),
      ]);
  }

  async #removeElements(changes: ReturnType<typeof portElements>, why: string): Promise<void> {
    const { executor, table } = this.#parts;
    try {
      await executor.run([this.#netfilter(encodeDelete(table, changes), why)]);
    } catch {
      // One of them does not exist any more, which fails the whole batch: they are removed one by one.
      const messages = encodeDeleteEach(table, changes);
      await executor.run([{ op: "try-netlink", protocol: NETLINK_NETFILTER, messages, why }]);
    }
  }

  #netfilter(messages: Uint8Array, why: string): Step {
    return { op: "netlink", protocol: NETLINK_NETFILTER, messages, why };
  }

  // ── the table ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Installs the table with everything known now; also after somebody has flushed it. */
  async install(): Promise<void> {
    const { table } = this.#parts;
    const before = { networks: new Map(this.#networks), ports: new Map(this.#ports), opened: new Map(this.#opened) };
    const networks = [...before.networks.values()].map(({ ruled }) => ruled);
    const [ports, opened] = [[...before.ports.values()].flat(), [...before.opened.values()].flat()];
    await this.#parts.installRules(rulesetText(table, { networks, ports, opened, uplinks: this.#parts.uplinks() }));
    this.#isInstalled = true;
    await this.#catchUp(before);
    this.#rules = await this.#readRules();
  }

  /** Applies changes that were made while `nft` was running, because its table replaces them. */
  async #catchUp(before: {
    readonly networks: ReadonlyMap<string, Network>;
    readonly ports: ReadonlyMap<string, readonly ForwardedPort[]>;
    readonly opened: ReadonlyMap<string, readonly OpenedPort[]>;
  }): Promise<void> {
    const networks = [...this.#networks].filter(([id]) => !before.networks.has(id)).map(([, { ruled }]) => ruled);
    const ports = changeOf(before.ports, this.#ports);
    const opened = changeOf(before.opened, this.#opened);
    const gone = [...portElements(ports.gone), ...openedElements(opened.gone)];
    if (gone.length > 0) await this.#removeElements(gone, "let go meanwhile");
    const elements = [...networkElements(networks), ...portElements(ports.come), ...openedElements(opened.come)];
    if (elements.length > 0)
      await this.#parts.executor.run([this.#netfilter(encodeAdd(this.#parts.table, elements), "came meanwhile")]);
  }

  /** Whether the rules are the same as when they were installed. */
  async areUntouched(): Promise<boolean> {
    return (await this.#readRules()) === this.#rules;
  }

  /** The handles of the table's rules, which change when a rule is replaced; "" when the table is gone. */
  async #readRules(): Promise<string> {
    const message = listRules({ family: "inet", table: this.#parts.table });
    const why = "whether our rules are as we made them";
    const list = this.#parts.executor.run([{ op: "netlink-list", protocol: NETLINK_NETFILTER, message, why }]);
    const values = await list.catch(() => new Map<number, Uint8Array>()); // ENOENT: no such table
    return parseRules(values.get(0) ?? new Uint8Array())
      .map(({ handle }) => handle.toHex())
      .join(" ");
  }

  /** Removes the table. */
  async remove(): Promise<void> {
    const { table } = this.#parts;
    for (const known of [this.#networks, this.#ports, this.#opened]) known.clear();
    this.#isInstalled = false;
    await this.#parts.installRules(`table inet ${table} {}\ndelete table inet ${table}\n`);
  }
}

/** Entries that were added and removed. */
function changeOf<T>(before: ReadonlyMap<string, readonly T[]>, now: ReadonlyMap<string, readonly T[]>) {
  const come = [...now].filter(([owner, values]) => before.get(owner) !== values);
  const gone = [...before].filter(([owner, values]) => now.get(owner) !== values);
  return { come: come.flatMap(([, values]) => values), gone: gone.flatMap(([, values]) => values) };
}

function byKey(values: readonly OpenedPort[]): Map<string, OpenedPort> {
  return new Map(values.map((one) => [`${one.from.value} ${one.to.value} ${one.protocol} ${one.port}`, one]));
}

function differenceOf(before: readonly OpenedPort[], now: readonly OpenedPort[]) {
  const [old, fresh] = [byKey(before), byKey(now)];
  return {
    gone: [...old].flatMap(([key, one]) => (fresh.has(key) ? [] : [one])),
    come: [...fresh].flatMap(([key, one]) => (old.has(key) ? [] : [one])),
  };
}
