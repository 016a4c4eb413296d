/** The networks of running containers: namespaces, links, published ports. Each container's is made at its start and goes with its end. */

import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { OrlopError } from "../../base/errors.ts";
import { newContainerId } from "../../base/id.ts";
import { addressBytes, addressFromBytes, formatAddress, parseAddress } from "../../base/ip-address.ts";
import { log } from "../../base/log.ts";
import { point } from "../../base/point.ts";
import { Serial } from "../../base/serial.ts";
import { type Executor, StepFailure } from "../../kernel/executor.ts";
import { type HeldPorts, type Netd, PortRefused } from "../../kernel/netd.ts";
import type { Step } from "../../kernel/step.ts";
import { type LinkNames, newSandboxId, portNameOf, sandboxOfPort } from "../../network/link-names.ts";
import { formatMac, macOf, parseMac } from "../../network/mac-address.ts";
import { removeLinks } from "../../network/plan-bridge.ts";
import {
  type EndpointLink,
  enterNamespace,
  planGateways,
  planLink,
  planNamespace,
  planSandboxRemoval,
  removeInside,
} from "../../network/plan-sandbox.ts";
import type { ForwardedPort } from "../../network/ruleset.ts";
import type { EndpointSettings } from "../../spec/engine-api-network.ts";
import { Sweeper } from "../containers/sweeper.ts";
import { sandboxPlace } from "../places.ts";
import { endpointOptionsOf, linkLocalsOf, nameLinks } from "./endpoint-options.ts";
import { type HostNetwork, hasIpv6, type Survey } from "./host-network.ts";
import { enterSandbox, holderFor, isHandedOver, lead, namespaceOf, planHandingOver } from "./namespace-holder.ts";
import { type Network, writtenAddress } from "./network.ts";
import { parsed } from "./network-create.ts";
import { macvlanOptionsOf } from "./network-options.ts";
import { isEverywhere, PortTable, type PortWish, type Taken, type WishInput, wishesOf } from "./port-table.ts";
import {
  addressOf,
  type EndpointRecord,
  leadingEndpoint,
  linkNameOf,
  type PublishedPort,
  readSandbox,
  runsOf,
  type SandboxRecord,
  writeSandbox,
} from "./sandbox-record.ts";

export interface EndpointWish {
  readonly network: Network;
  readonly settings: EndpointSettings;
}

export interface SandboxWish {
  readonly containerId: string;
  readonly containerName: string;
  /** The container's run directory. */
  readonly runDir: string;
  /** The first is eth0. */
  readonly endpoints: readonly EndpointWish[];
  readonly ports: Pick<WishInput, "bindings" | "exposed" | "publishAll">;
}

export interface SandboxParts {
  readonly executor: Executor;
  readonly host: HostNetwork;
  readonly names: LinkNames;
  readonly netd: Netd;
  readonly runDir: string;
  /** As `EngineParts.background`. */
  background(what: string, work: () => Promise<void>): Promise<void>;
  /** Names are taken back before the namespace goes. */
  forgetNames(containerId: string, record: SandboxRecord): Promise<void>;
  /** undefined for one that is gone. */
  networkOf(id: string): Network | undefined;
  /** For people: who has a port. */
  nameOf(containerId: string): string;
}

/** After its start: whoever lives shorter leaves the mount to its removal. */
const HAND_OVER_MS = 1000;
/** So often another port is tried when the kernel has given away the one that was chosen. */
const PORT_TRIES = 64;

export class Sandboxes {
  readonly #parts: SandboxParts;
  readonly #live = new Map<string, SandboxRecord>();
  readonly #ports = new PortTable();
  /** What ended containers still hold, and will not soon. */
  readonly #releases = new Map<string, Promise<void>>();
  /** As a change that was under way when its container ended has left them. */
  readonly #leaving = new Map<string, SandboxRecord>();
  /** One change of a container's networks after the other, its release last. */
  readonly #changes = new Map<string, Serial>();
  /** Of containers that run, and whose namespace a mount keeps for a moment longer. */
  readonly #handOvers = new Map<string, ReturnType<typeof setTimeout>>();
  /** Several of them in one plan. */
  readonly #sweeper: Sweeper;

  constructor(parts: SandboxParts) {
    this.#parts = parts;
    this.#sweeper = new Sweeper((steps) => parts.executor.run(steps));
    mkdirSync(`${parts.runDir}/netns`, { recursive: true, mode: 0o711 });
  }

  of(containerId: string): SandboxRecord | undefined {
    return this.#live.get(containerId);
  }

  get containerIds(): readonly string[] {
    return [...this.#live.keys()];
  }

  get isEmpty(): boolean {
    return this.#live.size === 0 && this.#releases.size === 0;
  }

  pathOf(sandboxId: string): string {
    return `${this.#parts.runDir}/netns/${sandboxId}`;
  }

  // ── a container's start and end ──────────────────────────────────────────────────────────────────────────────────

  /**
   * Everything that the container's network needs before its program runs.
   *
   * @param ready a sandbox in the default network that no container has used
   * @returns steps to be carried out first in the container's plan
   * @throws {OrlopError} what cannot be given: nothing is left then
   */
  async attach(wish: SandboxWish, ready?: SandboxRecord): Promise<Step[]> {
    const { containerId, runDir } = wish;
    // Of a start that an earlier engine did not finish, or of the last run.
    await this.detach(containerId, runDir);
    const made = ready ?? (await this.#makeOnceFree(wish.endpoints));
    point("network.attach.made");
    this.#keep(containerId, made);
    try {
      const ports = await this.#publish(wish, made);
      const record = { ...made, ports };
      this.#keep(containerId, record);
      writeSandbox(runDir, record);
      this.show(record, runDir);
      point("network.attach.recorded");
      return this.#parts.host.publish(containerId, this.#forwarded(record));
    } catch (error) {
      await this.detach(containerId, runDir);
      throw error;
    }
  }

  /** Where the container's plan looks for its network, and whoever is told where that is. */
  show(record: SandboxRecord, runDir: string): void {
    lead(sandboxPlace(runDir), this.pathOf(record.id));
  }

  #keep(containerId: string, record: SandboxRecord): void {
    this.#live.set(containerId, record);
    for (const { networkId } of record.endpoints) this.#parts.networkOf(networkId)?.members.add(containerId);
  }

  /** The container runs: its namespace is its own from now on. One that is short-lived does not get that far. */
  noteStart(containerId: string, runDir: string, pid: number): void {
    if (!this.#live.has(containerId)) return;
    const timer = setTimeout(() => {
      this.#handOvers.delete(containerId);
      void this.#parts.background(`the network namespace of ${containerId}`, () =>
        this.handOver(containerId, runDir, pid),
      );
    }, HAND_OVER_MS);
    timer.unref();
    this.#handOvers.set(containerId, timer);
  }

  /** @see namespace-holder.ts */
  handOver(containerId: string, runDir: string, pid: number): Promise<void> {
    return this.#change(containerId, async (record) => {
      const path = this.pathOf(record.id);
      const holder = isHandedOver(path, record) ? undefined : holderFor(path, pid, record.holder);
      if (holder === undefined) return;
      const after = { ...record, holder };
      writeSandbox(runDir, after);
      const runs = this.#note(containerId, after);
      point("network.holder.recorded");
      if (!runs) return;
      lead(sandboxPlace(runDir), namespaceOf(holder.pid)); // before the mount goes: somebody may be on the way
      await this.#sweeper.sweep(planHandingOver(path));
      lead(path, namespaceOf(holder.pid));
    });
  }

  /** Gives everything back. A container without a sandbox is fine. */
  detach(containerId: string, runDir: string): Promise<void> {
    const record = this.#live.get(containerId) ?? readSandbox(runDir);
    if (record === undefined) return this.#releases.get(containerId) ?? Promise.resolve();
    this.#live.delete(containerId);
    clearTimeout(this.#handOvers.get(containerId));
    this.#handOvers.delete(containerId);
    for (const { networkId } of record.endpoints) this.#parts.networkOf(networkId)?.members.delete(containerId);
    this.#leaving.set(containerId, record);
    const release = this.#changesOf(containerId)
      .run(() => this.#release(containerId, runDir, this.#leaving.get(containerId) ?? record))
      .finally(() => {
        for (const known of [this.#releases, this.#leaving, this.#changes]) known.delete(containerId);
      });
    this.#releases.set(containerId, release);
    return release;
  }

  async #release(containerId: string, runDir: string, record: SandboxRecord): Promise<void> {
    point("network.detach.begun");
    const { host, netd } = this.#parts;
    if (record.ports.length > 0) {
      await host.unpublish(containerId);
      await netd.hold(containerId, []);
    }
    this.#ports.release(containerId);
    await this.#parts.forgetNames(containerId, record);
    await this.removeSandbox(record);
    point("network.detach.removed");
    for (const path of [`${runDir}/network.json`, sandboxPlace(runDir)]) rmSync(path, { force: true });
  }

  /** Namespace and links; then the addresses are free. */
  async removeSandbox(record: SandboxRecord): Promise<void> {
    const portNames = record.endpoints.map(({ portName }) => portName).filter((name) => name !== "");
    const steps = planSandboxRemoval(this.pathOf(record.id), portNames);
    // Its task may be killed in the middle: begun again it takes what is left.
    await this.#parts.executor.run(steps).catch(() => this.#parts.executor.run(steps));
    for (const endpoint of record.endpoints) this.#releaseAddresses(endpoint);
  }

  #releaseAddresses({ networkId, addresses }: EndpointRecord): void {
    this.#parts.networkOf(networkId)?.releaseAddresses(addresses.map(parsed));
  }

  /** Notes where the embedded resolver listens. */
  noteResolver(containerId: string, runDir: string, resolverPort: number): void {
    const record = this.#live.get(containerId);
    if (record === undefined || record.resolverPort === resolverPort) return;
    this.#live.set(containerId, { ...record, resolverPort });
    writeSandbox(runDir, { ...record, resolverPort });
  }

  // ── namespaces and links ─────────────────────────────────────────────────────────────────────────────────────────

  /** One that nobody has used yet, for the pool of ready ones. */
  makeReady(endpoint: EndpointWish): Promise<SandboxRecord> {
    return this.#make([endpoint]);
  }

  /** What `attach` would do. Nothing is made, and addresses and ports stay free. @throws {OrlopError} what cannot be given */
  foresee(wish: SandboxWish): Step[] {
    let record: SandboxRecord = { id: "SANDBOX", endpoints: [], nextNumber: 0, ports: [] };
    const linkNames = nameLinks(wish.endpoints.map(({ settings }) => endpointOptionsOf(settings).linkName));
    const path = this.pathOf(record.id);
    const steps = [...planNamespace(path)];
    try {
      for (const [index, one] of wish.endpoints.entries()) {
        const plug = foreseenPlug(one.network, this.#portNameOf(record));
        const { endpoint, link } = this.#makeEndpoint(record, one, linkNames[index] ?? "", plug);
        record = { ...record, endpoints: [...record.endpoints, endpoint], nextNumber: record.nextNumber + 1 };
        steps.push(...(index === 0 ? [] : [enterNamespace(path)]), ...planLink(link));
      }
    } finally {
      for (const endpoint of record.endpoints) this.#releaseAddresses(endpoint);
    }
    const ports = this.#ports.choose(this.#portWishes(wish, record));
    if (!Array.isArray(ports)) throw this.#taken(wish, record, ports);
    return [
      ...steps,
      ...this.#planLeading(record),
      ...this.#parts.host.planPorts(this.#forwarded({ ...record, ports })),
    ];
  }

  /** Addresses of containers that have just ended are free a moment later. */
  async #makeOnceFree(endpoints: readonly EndpointWish[]): Promise<SandboxRecord> {
    const releases = [...this.#releases.values()];
    try {
      return await this.#make(endpoints);
    } catch (error) {
      const isTaken = error instanceof OrlopError && ["addresses_exhausted", "address_in_use"].includes(error.code);
      if (!isTaken || releases.length === 0) throw error;
      await Promise.allSettled(releases);
      return this.#make(endpoints);
    }
  }

  async #make(wishes: readonly EndpointWish[]): Promise<SandboxRecord> {
    let record: SandboxRecord = { id: newSandboxId(), endpoints: [], nextNumber: 0, ports: [] };
    const linkNames = nameLinks(wishes.map(({ settings }) => endpointOptionsOf(settings).linkName));
    try {
      const steps = [...planNamespace(this.pathOf(record.id))];
      for (const [index, wish] of wishes.entries()) {
        if (index > 0) steps.push(enterNamespace(this.pathOf(record.id)));
        const plug = await this.#plugOf(wish.network, this.#portNameOf(record));
        const { endpoint, link } = this.#makeEndpoint(record, wish, linkNames[index] ?? "", plug);
        record = { ...record, endpoints: [...record.endpoints, endpoint], nextNumber: record.nextNumber + 1 };
        steps.push(...planLink(link));
      }
      await this.#parts.executor.run([...steps, ...this.#planLeading(record)]);
      return record;
    } catch (error) {
      await this.removeSandbox(record).catch((reason: unknown) => log("warn", `sandbox ${record.id} is left`, reason));
      throw explainRefusal(error);
    }
  }

  /** The addresses are taken when this resolves; the link is not made yet. */
  #makeEndpoint(
    sandbox: SandboxRecord,
    { network, settings }: EndpointWish,
    linkName: string,
    plug: EndpointLink["plug"],
  ): { readonly endpoint: EndpointRecord; readonly link: EndpointLink } {
    const number = sandbox.nextNumber;
    const { sysctls } = endpointOptionsOf(settings);
    const linkLocals = linkLocalsOf(settings.IPAMConfig);
    const taken = network.takeAddresses(settings.IPAMConfig);
    const addresses = taken.map(({ address }) => address);
    const [first] = addresses;
    const mac =
      parseMac(settings.MacAddress) ??
      (first === undefined ? macOf({ version: 6, value: BigInt(`0x${sandbox.id}`) }) : macOf(first.address));
    const gateways = taken.flatMap(({ gateway }) =>
      gateway === undefined || network.record.internal ? [] : [gateway],
    );
    return {
      endpoint: {
        networkId: network.id,
        networkName: network.name,
        id: newContainerId(),
        number,
        linkName,
        mac: formatMac(mac),
        addresses: addresses.map(writtenAddress),
        gateways: gateways.map(formatAddress),
        priority: settings.GwPriority,
        portName: plug.kind === "bridge" ? plug.portName : "",
        aliases: settings.Aliases,
      },
      link: {
        number,
        name: linkName,
        mac,
        addresses: [...addresses, ...linkLocals],
        sysctls,
        mtu: mtuOf(network),
        plug,
      },
    };
  }

  #portNameOf({ id, nextNumber }: SandboxRecord): string {
    return portNameOf(this.#parts.names, id, nextNumber);
  }

  async #plugOf(network: Network, portName: string): Promise<EndpointLink["plug"]> {
    const { host } = this.#parts;
    if (network.record.driver === "bridge")
      return {
        kind: "bridge",
        portName,
        bridgeIndex: await host.bridgeIndex(network),
        isolated: !network.bridge.isOpen,
      };
    const { parent, mode } = macvlanOptionsOf(network.record.options);
    const link = (await host.survey()).links.find(({ name }) => name === parent);
    if (link === undefined) throw OrlopError.of("no_such_link", { name: parent });
    return { kind: "macvlan", parentIndex: link.index, mode };
  }

  #planLeading(record: SandboxRecord): Step[] {
    const gateways = ([4, 6] as const).flatMap((version) => {
      const endpoint = leadingEndpoint(record, version);
      const address = endpoint?.gateways.map(parseAddress).find((one) => one?.version === version);
      return endpoint === undefined || address === undefined ? [] : [{ address, number: endpoint.number }];
    });
    return [...enterSandbox(this.pathOf(record.id), record), ...planGateways(gateways)];
  }

  #changesOf(containerId: string): Serial {
    const changes = this.#changes.get(containerId) ?? new Serial();
    this.#changes.set(containerId, changes);
    return changes;
  }

  /** Of one that has ended, or has no networks, there is nothing to change. */
  #change(containerId: string, work: (record: SandboxRecord) => Promise<void>): Promise<void> {
    return this.#changesOf(containerId).run(async () => {
      const record = this.#live.get(containerId);
      if (record !== undefined) await work(record);
    });
  }

  /** @returns whether the container still runs: else its release, which waits for this, goes by what is noted */
  #note(containerId: string, record: SandboxRecord): boolean {
    if (this.#live.has(containerId)) this.#keep(containerId, record);
    else this.#leaving.set(containerId, record);
    return this.#live.has(containerId);
  }

  /** A running container gets another network. */
  connect(containerId: string, runDir: string, wish: EndpointWish): Promise<void> {
    return this.#change(containerId, (record) => this.#connect(containerId, runDir, record, wish));
  }

  async #connect(containerId: string, runDir: string, record: SandboxRecord, wish: EndpointWish): Promise<void> {
    const taken = record.endpoints.map(linkNameOf);
    const [linkName = ""] = nameLinks([endpointOptionsOf(wish.settings).linkName], taken, record.nextNumber);
    const plug = await this.#plugOf(wish.network, this.#portNameOf(record));
    const { endpoint, link } = this.#makeEndpoint(record, wish, linkName, plug);
    const after = { ...record, endpoints: [...record.endpoints, endpoint], nextNumber: record.nextNumber + 1 };
    writeSandbox(runDir, after);
    point("network.connect.recorded");
    try {
      await this.#parts.executor.run([
        ...enterSandbox(this.pathOf(record.id), record),
        ...planLink(link),
        ...this.#planLeading(after),
      ]);
    } catch (error) {
      writeSandbox(runDir, record);
      await this.#removeEndpoint(record, endpoint);
      throw explainRefusal(error);
    }
    if (this.#note(containerId, after)) await this.#republish(containerId, record, after);
  }

  disconnect(containerId: string, runDir: string, networkId: string): Promise<void> {
    return this.#change(containerId, (record) => this.#disconnect(containerId, runDir, record, networkId));
  }

  async #disconnect(containerId: string, runDir: string, record: SandboxRecord, networkId: string): Promise<void> {
    const endpoint = record.endpoints.find((one) => one.networkId === networkId);
    if (endpoint === undefined) return;
    const after = { ...record, endpoints: record.endpoints.filter((one) => one !== endpoint) };
    await this.#removeEndpoint(record, endpoint);
    const runs = this.#note(containerId, after);
    await this.#parts.executor.run(this.#planLeading(after));
    writeSandbox(runDir, after);
    this.#parts.networkOf(networkId)?.members.delete(containerId);
    point("network.disconnect.recorded");
    if (runs) await this.#republish(containerId, record, after);
  }

  async #removeEndpoint(record: SandboxRecord, endpoint: EndpointRecord): Promise<void> {
    const steps =
      endpoint.portName === ""
        ? [...enterSandbox(this.pathOf(record.id), record), removeInside(linkNameOf(endpoint))]
        : [removeLinks([endpoint.portName], "unplugged: both ends of the pair go")];
    await this.#parts.executor.run(steps);
    this.#releaseAddresses(endpoint);
  }

  // ── published ports ──────────────────────────────────────────────────────────────────────────────────────────────

  async #publish(wish: SandboxWish, record: SandboxRecord): Promise<readonly PublishedPort[]> {
    const wishes = this.#portWishes(wish, record);
    if (wishes.length === 0) return [];
    const refused = new Set<string>();
    for (let tries = 0; ; tries++) {
      const ports = await this.#choose(wish, record, wishes, refused);
      this.#ports.take(wish.containerId, ports);
      try {
        await this.#parts.netd.hold(wish.containerId, heldPorts(ports, record));
        return ports;
      } catch (error) {
        this.#ports.release(wish.containerId);
        if (!(error instanceof PortRefused)) throw error;
        refused.add(`${error.ports.protocol}/${error.port}`);
        const named = wishes.some(
          ({ protocol, first, last }) => protocol === error.ports.protocol && first === last && first === error.port,
        );
        if (named || error.errno !== "EADDRINUSE" || tries === PORT_TRIES) throw this.#refusal(wish, record, error);
      }
    }
  }

  #portWishes(wish: SandboxWish, record: SandboxRecord): readonly PortWish[] {
    const leading = leadingEndpoint(record, 4) ?? leadingEndpoint(record, 6);
    const network = leading === undefined ? undefined : this.#parts.networkOf(leading.networkId);
    if (network === undefined || network.record.driver !== "bridge" || !asksForPorts(wish.ports)) return [];
    const { hostBinding4, hostBinding6 } = network.bridge;
    return wishesOf({ ...wish.ports, hostBinding4, hostBinding6, hasIpv6: hasIpv6() });
  }

  /** Waits for containers that are just giving back what is wanted. */
  async #choose(
    wish: SandboxWish,
    record: SandboxRecord,
    wishes: readonly PortWish[],
    refused: ReadonlySet<string>,
  ): Promise<PublishedPort[]> {
    for (;;) {
      const chosen = this.#ports.choose(wishes, refused);
      if (Array.isArray(chosen)) return chosen;
      const release = this.#releases.get(chosen.owner);
      if (release === undefined) throw this.#taken(wish, record, chosen);
      await release;
    }
  }

  #taken({ containerName }: SandboxWish, { endpoints }: SandboxRecord, taken: Taken): OrlopError {
    return OrlopError.of("port_taken", {
      endpoint: containerName,
      id: endpoints[0]?.id ?? "",
      binding: `${bracketed(taken.hostAddress)}:${taken.hostPort}`,
      holder:
        taken.owner === ""
          ? "by this container itself, or by other programs"
          : `by container ${this.#parts.nameOf(taken.owner)}`,
    });
  }

  #refusal(wish: SandboxWish, record: SandboxRecord, refused: PortRefused): OrlopError {
    const where = {
      endpoint: wish.containerName,
      id: record.endpoints[0]?.id ?? "",
      binding: `${bracketed(formatAddress(addressFromBytes(refused.ports.address)))}:${refused.port}`,
    };
    if (refused.errno !== "EADDRINUSE")
      return OrlopError.of("port_refused", { ...where, reason: reasonOf(refused.errno) }, refused);
    const { owner, pid, command } = refused.holder ?? {};
    const holder =
      owner !== undefined
        ? `by container ${this.#parts.nameOf(owner)}`
        : pid === undefined
          ? "by a program that cannot be seen from here"
          : `by ${command ?? "a program"}, process ${pid}`;
    return OrlopError.of("port_taken", { ...where, holder }, refused);
  }

  /** Published ports follow to the network that leads now. */
  async #republish(containerId: string, before: SandboxRecord, after: SandboxRecord): Promise<void> {
    const moved = ([4, 6] as const).some((version) => targetOf(before, version) !== targetOf(after, version));
    if (!moved || after.ports.length === 0) return;
    const { executor, host, netd } = this.#parts;
    await host.unpublish(containerId);
    const steps = host.publish(containerId, this.#forwarded(after));
    if (steps.length > 0) await executor.run(steps);
    await netd.hold(containerId, heldPorts(after.ports, after));
  }

  /** What the rules forward; what netd relays is not among it. */
  #forwarded(record: SandboxRecord): ForwardedPort[] {
    const targets = { 4: parseAddress(targetOf(record, 4)), 6: parseAddress(targetOf(record, 6)) };
    return record.ports.flatMap(({ protocol, containerPort, hostAddress, hostPort }) => {
      const version = hostAddress.includes(":") ? 6 : 4;
      const to = targets[version];
      if (to === undefined || to.version !== version) return [];
      const address = isEverywhere(hostAddress) ? undefined : parseAddress(hostAddress);
      return [{ protocol, hostAddress: address, hostPort, to, toPort: containerPort }];
    });
  }

  // ── after an engine's death ──────────────────────────────────────────────────────────────────────────────────────

  /** Goes on with the sandbox of a container that runs. */
  adopt(containerId: string, runDir: string): void {
    const record = readSandbox(runDir);
    if (record === undefined) return;
    this.#keep(containerId, record);
    for (const { networkId, addresses } of record.endpoints)
      this.#parts.networkOf(networkId)?.reclaim(addresses.map(parsed));
    this.#ports.take(containerId, record.ports);
    this.#parts.host.adopt(containerId, this.#forwarded(record));
    if (record.ports.length > 0)
      this.#parts.netd
        .hold(containerId, heldPorts(record.ports, record))
        .catch((error: unknown) => log("error", `ports of ${containerId} are not held any more`, error));
  }

  /** Networks that adopted sandboxes are in. */
  get networkIds(): ReadonlySet<string> {
    return new Set([...this.#live.values()].flatMap(({ endpoints }) => endpoints.map(({ networkId }) => networkId)));
  }

  /** What an earlier engine had made, and no container has. */
  async removeStrays({ links }: Survey): Promise<void> {
    const known = new Set([...this.#live.values()].map(({ id }) => id));
    const paths = readdirSync(`${this.#parts.runDir}/netns`).filter((id) => !known.has(id));
    const ports = links.flatMap(({ name }) => {
      const owner = sandboxOfPort(this.#parts.names, name);
      return owner === undefined || known.has(owner) ? [] : [name];
    });
    if (paths.length === 0 && ports.length === 0) return;
    await this.#parts.executor.run([
      ...(ports.length === 0 ? [] : [removeLinks(ports, "links of sandboxes that no container has")]),
      ...paths.flatMap((id) => planSandboxRemoval(this.pathOf(id), [])),
    ]);
  }
}

/** As the plug will be; the number of the other link is not said in words. */
function foreseenPlug(network: Network, portName: string): EndpointLink["plug"] {
  if (network.record.driver === "bridge")
    return { kind: "bridge", portName, bridgeIndex: 0, isolated: !network.bridge.isOpen };
  return { kind: "macvlan", parentIndex: 0, mode: macvlanOptionsOf(network.record.options).mode };
}

function asksForPorts({ bindings, publishAll }: SandboxWish["ports"]): boolean {
  return publishAll || Object.keys(bindings).length > 0;
}

/** Of what was asked for of a link the kernel may not have everything. */
function explainRefusal(error: unknown): unknown {
  if (!(error instanceof StepFailure) || error.step?.op !== "write") return error;
  const { path, data } = error.step;
  const setting = `sysctl ${path.replace("/proc/sys/", "").replaceAll("/", ".")}=${new TextDecoder().decode(data)}`;
  return OrlopError.of("setting_refused", { setting, reason: error.errno, started: "container" }, error);
}

/** The container's address that a port of this version leads to: of the other one when it has none. */
function targetOf(record: SandboxRecord, version: 4 | 6): string {
  for (const wanted of version === 4 ? ([4, 6] as const) : ([6, 4] as const)) {
    const endpoint = leadingEndpoint(record, wanted);
    const address = endpoint === undefined ? "" : addressOf(endpoint, wanted);
    if (address !== "") return address;
  }
  return "";
}

/** Consecutive ports of one address together. */
function heldPorts(ports: readonly PublishedPort[], record: SandboxRecord): HeldPorts[] {
  return runsOf(ports).flatMap(({ protocol, hostAddress, hostPort, containerPort, count }) => {
    const address = parseAddress(hostAddress);
    if (address === undefined) return [];
    const target = parseAddress(targetOf(record, address.version));
    const relayed = protocol === "sctp" || target === undefined;
    return {
      protocol,
      address: addressBytes(address),
      first: hostPort,
      last: hostPort + count - 1,
      ...(relayed ? {} : { relay: { address: addressBytes(target), port: containerPort } }),
    };
  });
}

function mtuOf(network: Network): number {
  return network.record.driver === "bridge" ? network.bridge.mtu : macvlanOptionsOf(network.record.options).mtu;
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

function reasonOf(errno: string): string {
  if (errno === "EADDRNOTAVAIL") return "cannot assign requested address: no link of this host has it";
  return errno;
}
