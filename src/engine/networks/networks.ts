/**
 * The networks, and what a container's start, changes and end do in them. A facade: each part is a class of this folder, which the
 * constructor puts together.
 */

import { OrlopError } from "../../base/errors.ts";
import type { Executor } from "../../kernel/executor.ts";
import type { Netd } from "../../kernel/netd.ts";
import type { Step } from "../../kernel/step.ts";
import { linkNamesOf } from "../../network/link-names.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { EndpointSettings, NetworkCreateBody } from "../../spec/engine-api-network.ts";
import type { RecordStore, Row } from "../../store/rows.ts";
import type { Events } from "../events/events.ts";
import { sandboxPlace } from "../places.ts";
import { Arrivals } from "./arrivals.ts";
import { ContainerLinks } from "./container-links.ts";
import { ContainerNames } from "./container-names.ts";
import { HostNetwork } from "./host-network.ts";
import { type LentNetwork, LentNetworks } from "./lent-networks.ts";
import { LiveConnections } from "./live-connections.ts";
import { NameService } from "./name-service.ts";
import type { Network } from "./network.ts";
import { type ForeseenNetworks, foreseeNetworks } from "./network-foresee.ts";
import { networkModeOf } from "./network-mode.ts";
import { reconcileNetworks } from "./network-reconcile.ts";
import { isBuiltIn } from "./network-record.ts";
import { type Settled, settleContainer } from "./network-settle.ts";
import { NetworkStore } from "./network-store.ts";
import type { NetworkedContainer } from "./networked-container.ts";
import type { SandboxRecord } from "./sandbox-record.ts";
import { endpointWishesOf, isPlain, portWishOf } from "./sandbox-wish.ts";
import { Sandboxes } from "./sandboxes.ts";

export interface NetworksOptions {
  readonly executor: Executor;
  readonly netd: Netd;
  readonly runDir: string;
  /** See `HostNetworkOptions.installRules`. */
  readonly installRules: (text: string) => Promise<void>;
  readonly store: RecordStore;
  readonly events: Events;
  readonly rows: readonly Row[];
  background(what: string, work: () => Promise<void>): Promise<void>;
  /** The host's name. */
  readonly hostname: string;
  /** undefined for a container that has been removed. */
  container(id: string): NetworkedContainer | undefined;
  /** By id or name. @throws {OrlopError} no_such_container */
  find(reference: string): { readonly id: string; readonly name: string };
}

export class Networks {
  readonly #options: NetworksOptions;
  readonly #host: HostNetwork;
  readonly #store: NetworkStore;
  readonly #sandboxes: Sandboxes;
  readonly #arrivals: Arrivals;
  readonly #links: ContainerLinks;
  readonly #names: ContainerNames;
  readonly #lent: LentNetworks;
  readonly #connections: LiveConnections;

  constructor(options: NetworksOptions) {
    this.#options = options;
    const { executor, netd, runDir, installRules, hostname, rows } = options;
    const names = linkNamesOf(runDir);
    const host = new HostNetwork({ executor, netd, names, runDir, installRules });
    const store = new NetworkStore({ store: options.store, rows, host, names });
    const background = (what: string, work: () => Promise<void>) => options.background(what, work);
    const sandboxes = new Sandboxes({
      ...{ executor, host, names, netd, runDir, background },
      networkOf: (id) => store.of(id),
      forgetNames: (id, record) => this.#names.withdraw(id, record),
      nameOf: (id) => this.#nameOf(id),
    });
    const nameService = new NameService(netd, executor);
    this.#host = host;
    this.#store = store;
    this.#sandboxes = sandboxes;
    this.#arrivals = new Arrivals((network) => store.of(network.id) === network);
    this.#links = new ContainerLinks({
      ...{ host, store, sandboxes, nameService },
      container: (id) => options.container(id),
      find: (reference) => options.find(reference),
    });
    this.#names = new ContainerNames({ store, sandboxes, nameService, links: this.#links, hostname });
    this.#lent = new LentNetworks({ store, sandboxes, names: this.#names, background });
    this.#connections = new LiveConnections({
      sandboxes,
      arrivals: this.#arrivals,
      links: this.#links,
      names: this.#names,
    });
  }

  // ── networks ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Messages about the host's other firewalls, where they affect Orlop's networks. */
  async reports(): Promise<readonly string[]> {
    await this.#host.lookAtLegacy();
    return this.#host.reports;
  }

  /** Oldest first. */
  all(): Promise<Network[]> {
    return this.#store.all();
  }

  /** Finds a network by its name, its id or a prefix of its id. @throws {OrlopError} no_such_network, ambiguous_network */
  get(reference: string): Promise<Network> {
    return this.#store.get(reference);
  }

  /** @throws {OrlopError} the request is wrong; nothing is created then */
  async create(body: NetworkCreateBody): Promise<Network> {
    const network = await this.#store.create(body);
    this.#publish("create", network);
    return network;
  }

  /** What is done for such a network when the first container enters it. Nothing is made. @throws {OrlopError} as `create` */
  async foreseeNetwork(body: NetworkCreateBody): Promise<readonly Step[]> {
    const network = await this.#store.foresee(body);
    return network.record.driver === "bridge" ? this.#host.planMissingBridge(network) : [];
  }

  /** @throws {OrlopError} network_built_in, network_in_use */
  async remove(network: Network): Promise<void> {
    if (isBuiltIn(network.name)) throw OrlopError.of("network_built_in", { name: network.name });
    const active = [...network.members].filter((id) => this.#isActive(id));
    const users = new Set([...active, ...this.#arrivals.of(network)]);
    if (users.size > 0) {
      const members = [...users].map((id) => `name:${JSON.stringify(this.#nameOf(id))} id:"${id.slice(0, 12)}"`);
      throw OrlopError.of("network_in_use", { name: network.name, members: members.join(", ") });
    }
    await this.#store.remove(network);
    this.#publish("destroy", network);
  }

  /** A container that has exited does not count, even if its endpoints are still being released. */
  #isActive(id: string): boolean {
    const container = this.#options.container(id);
    return container !== undefined && (container.isRunning || container.run.status !== "exited");
  }

  #nameOf(containerId: string): string {
    return this.#options.container(containerId)?.name ?? containerId.slice(0, 12);
  }

  #publish(action: "create" | "destroy" | "connect" | "disconnect", network: Network, container?: string): void {
    const { name, driver } = network.record;
    const attributes = { name, type: driver, ...(container === undefined ? {} : { container }) };
    this.#options.events.publish({ type: "network", action, id: network.id, attributes });
  }

  // ── before a container exists ────────────────────────────────────────────────────────────────────────────────────

  /**
   * Checks what can be checked at create, and chooses the network if the request names none.
   *
   * @throws {OrlopError}
   */
  settle(asked: ContainerCreateBody): Promise<Settled> {
    return settleContainer(asked, {
      network: (reference) => this.get(reference),
      container: (reference) => this.#options.find(reference),
    });
  }

  /** What a start would do for a container's networks. Makes nothing and reserves nothing. @throws {OrlopError} */
  foresee(container: Pick<NetworkedContainer, "body" | "exposedPorts">): Promise<ForeseenNetworks> {
    return foreseeNetworks({ store: this.#store, host: this.#host, sandboxes: this.#sandboxes }, container);
  }

  /** As `LentNetworks.lend`. */
  lend(coming: Pick<NetworkedContainer, "id" | "body" | "places">): Promise<LentNetwork | undefined> {
    return this.#lent.lend(coming);
  }

  /** Removes a lent network that no container has used. */
  takeBack(lent: Pick<LentNetwork, "sandbox">): Promise<void> {
    return this.#lent.takeBack(lent);
  }

  // ── a container's start and end ──────────────────────────────────────────────────────────────────────────────────

  /**
   * Makes the container's network, before its start.
   *
   * @param lent what `lend` has made for it
   * @returns steps that come first in the container's plan
   * @throws {OrlopError}
   */
  async attach(container: NetworkedContainer, lent?: LentNetwork): Promise<Step[]> {
    const { body, id, name, places } = container;
    if (networkModeOf(body).kind !== "network") return [];
    const endpoints = await endpointWishesOf(this.#store, container.endpoints);
    const ports = portWishOf(body, container.exposedPorts);
    const wish = { containerId: id, containerName: name, runDir: places.runDir, endpoints, ports };
    this.#arrivals.begin(
      id,
      endpoints.map(({ network }) => network),
    );
    let steps: Step[];
    try {
      steps =
        lent === undefined
          ? await this.#sandboxes.attach(wish, isPlain(endpoints) ? this.#lent.takeReady() : undefined)
          : await this.#sandboxes.attachLent(wish, lent.sandbox);
      await this.#names.announce(container, container.endpoints, lent?.files);
    } catch (error) {
      await this.detach(container);
      throw error;
    }
    for (const { network } of endpoints) this.#publish("connect", network, id);
    return steps;
  }

  /** Called when the container's program runs. */
  noteStart({ id, places, run }: NetworkedContainer): void {
    this.#arrivals.end(id);
    this.#sandboxes.noteStart(id, places.runDir, run.pid);
  }

  /** Removes the container's network, after its end or a start that failed. */
  async detach({ id, places }: Pick<NetworkedContainer, "id" | "places">): Promise<void> {
    this.#arrivals.end(id);
    const record = this.#sandboxes.of(id);
    await this.#sandboxes.detach(id, places.runDir);
    this.#links.forget(id);
    for (const { networkId } of record?.endpoints ?? []) {
      const network = this.#store.of(networkId);
      if (network !== undefined) this.#publish("disconnect", network, id);
    }
  }

  /** Resolves when no published port of a container that was detached is bound any more; undefined: it has none. */
  portsReleased(containerId: string): Promise<void> | undefined {
    return this.#sandboxes.portsReleased(containerId);
  }

  // ── while it runs ────────────────────────────────────────────────────────────────────────────────────────────────

  sandboxOf(containerId: string): SandboxRecord | undefined {
    return this.#sandboxes.of(containerId);
  }

  /** The path of its network namespace on the host; "" for none. */
  pathOf({ id, places }: Pick<NetworkedContainer, "id" | "places">): string {
    return this.#sandboxes.of(id) === undefined ? "" : sandboxPlace(places.runDir);
  }

  /** The environment variables for its links, from the state of the linked containers now. @throws {OrlopError} link_not_running, link_elsewhere */
  linkEnvironment(container: Pick<NetworkedContainer, "name" | "body" | "endpoints">): string[] {
    return this.#links.environmentOf(container);
  }

  /** As `linkEnvironment`, without the links that fail: for an exec, when linked containers may have ended. */
  knownLinkEnvironment(container: Pick<NetworkedContainer, "name" | "body" | "endpoints">): string[] {
    return this.#links.knownEnvironmentOf(container);
  }

  /** Called after a rename. */
  renamed(container: NetworkedContainer): Promise<void> {
    return this.#names.renamed(container);
  }

  /** Called when a link of a container was removed: updates its names and files while it runs. */
  unlinked(container: NetworkedContainer): Promise<void> {
    return this.#names.unlinked(container);
  }

  /** Connects a running container. For one that does not run it only checks: the caller records the endpoint for its next start. */
  async connect(container: NetworkedContainer, network: Network, settings: EndpointSettings): Promise<void> {
    if (await this.#connections.connect(container, network, settings)) this.#publish("connect", network, container.id);
  }

  /** Disconnects a running container; does nothing for one that does not run. */
  async disconnect(container: NetworkedContainer, network: Network): Promise<void> {
    if (await this.#connections.disconnect(container, network)) this.#publish("disconnect", network, container.id);
  }

  // ── the engine's start and end ───────────────────────────────────────────────────────────────────────────────────

  /** Takes over the sandbox of a recorded container, before it is known whether the container still runs. */
  adopt({ id, places }: Pick<NetworkedContainer, "id" | "places">): void {
    this.#sandboxes.adopt(id, places.runDir);
  }

  /** As `reconcileNetworks`. Called when every container is adopted and known to run or not. */
  reconcile(): Promise<void> {
    return reconcileNetworks({
      netd: this.#options.netd,
      host: this.#host,
      store: this.#store,
      sandboxes: this.#sandboxes,
      names: this.#names,
      links: this.#links,
      container: (id) => this.#options.container(id),
      detach: (container) => this.detach(container),
      background: (what, work) => this.#options.background(what, work),
    });
  }

  /** @param final the engine will not be started again soon: bridges and rules that no container uses are removed */
  async close(final: boolean): Promise<void> {
    await this.#lent.close();
    const bridges = this.#store.records.flatMap(({ driver, linkName }) => (driver === "bridge" ? linkName : []));
    if (final && this.#sandboxes.isEmpty) await this.#host.dismantle(bridges);
  }
}
