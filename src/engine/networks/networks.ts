/** All networks: made, found, removed; and containers in them. */

import { OrlopError } from "../../base/errors.ts";
import { isName } from "../../base/id.ts";
import { parseAddress } from "../../base/ip-address.ts";
import { log } from "../../base/log.ts";
import { point } from "../../base/point.ts";
import type { Executor } from "../../kernel/executor.ts";
import type { Netd } from "../../kernel/netd.ts";
import { findNft } from "../../kernel/nft.ts";
import type { Step } from "../../kernel/step.ts";
import { type LinkNames, linkNamesOf } from "../../network/link-names.ts";
import { parseMac } from "../../network/mac-address.ts";
import { parseExtraHost } from "../../network/name-files.ts";
import type { OpenedPort } from "../../network/ruleset.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import {
  type EndpointSettings,
  type NetworkCreateBody,
  noEndpointSettings,
  parseContainerPort,
} from "../../spec/engine-api-network.ts";
import type { RecordStore, Row } from "../../store/rows.ts";
import type { Events } from "../events/events.ts";
import { readText } from "../machine.ts";
import { sandboxPlace } from "../places.ts";
import { endpointOptionsOf, linkLocalsOf, nameLinks } from "./endpoint-options.ts";
import { HostNetwork, hasIpv6, routedSubnets } from "./host-network.ts";
import { linkEnvironment } from "./link-environment.ts";
import { type NamedContainer, NameService } from "./name-service.ts";
import { Network } from "./network.ts";
import { type NetworkSurroundings, settleNetwork, settleSubnets } from "./network-create.ts";
import { needsEmbeddedServer, resolversOfBody, writeNetworkFiles } from "./network-files.ts";
import { type AskedEndpoint, checkMode, endpointsOf, networkModeOf } from "./network-mode.ts";
import {
  builtInNetworks,
  DEFAULT_NETWORK,
  decodeNetwork,
  encodeNetwork,
  idOfBuiltIn,
  isBuiltIn,
  type NetworkRecord,
} from "./network-record.ts";
import type { ForeseenPassages } from "./other-firewalls.ts";
import { ReadySandboxes } from "./ready-sandboxes.ts";
import { addressOf, type EndpointRecord, type SandboxRecord } from "./sandbox-record.ts";
import type { EndpointWish } from "./sandbox-wish.ts";
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
  /** The host's. */
  readonly hostname: string;
  /** undefined for one that is gone. */
  container(id: string): NetworkedContainer | undefined;
  /** By id or name. @throws {OrlopError} no_such_container */
  find(reference: string): { readonly id: string; readonly name: string };
}

/** `--link`: another name for a container. */
interface Link {
  readonly target: string;
  readonly aliases: readonly string[];
}

/** For explanations. */
export interface ForeseenNetworks {
  readonly steps: readonly Step[];
  /** Through the host's other firewalls. */
  readonly passages: ForeseenPassages;
}

/** A container as its networks see it. */
export interface NetworkedContainer {
  readonly id: string;
  readonly name: string;
  readonly body: ContainerCreateBody;
  readonly places: { readonly runDir: string; readonly dataDir: string };
  readonly isRunning: boolean;
  readonly run: { readonly status: string; readonly pid: number };
  readonly endpoints: readonly AskedEndpoint[];
  /** "80/tcp" … */
  readonly exposedPorts: readonly string[];
}

export class Networks {
  readonly #options: NetworksOptions;
  readonly #byId = new Map<string, Network>();
  readonly #names: LinkNames;
  readonly #host: HostNetwork;
  readonly #sandboxes: Sandboxes;
  readonly #ready: ReadySandboxes;
  readonly #nameService: NameService;
  /** Containers with links → the containers that those lead to. */
  readonly #links = new Map<string, readonly Link[]>();
  readonly #machineId = readText("/etc/machine-id")?.trim() || "unknown";
  #default: Promise<Network> | undefined;

  constructor(options: NetworksOptions) {
    this.#options = options;
    this.#names = linkNamesOf(options.runDir);
    this.#nameService = new NameService(options.netd, options.executor);
    const { executor, netd, runDir, installRules } = options;
    this.#host = new HostNetwork({ executor, netd, names: this.#names, runDir, installRules });
    this.#sandboxes = new Sandboxes({
      executor: options.executor,
      host: this.#host,
      names: this.#names,
      netd: options.netd,
      runDir: options.runDir,
      background: (what, work) => options.background(what, work),
      networkOf: (id) => this.#byId.get(id),
      forgetNames: async (id, record) => {
        await this.#openLinksOf(id); // while nobody else can have its addresses
        await this.#nameService.withdraw(id, record, this.#linkedTo(id));
      },
      nameOf: (id) => this.#nameOf(id),
    });
    this.#ready = new ReadySandboxes({
      make: async () => this.#sandboxes.makeReady({ network: await this.default(), settings: noEndpointSettings }),
      remove: (record) => this.#sandboxes.removeSandbox(record),
      background: (what, work) => options.background(what, work),
    });
    for (const row of options.rows) this.#add(decodeNetwork(row));
    for (const record of builtInNetworks(this.#machineId, "0")) this.#add(record);
  }

  #add(record: NetworkRecord): Network {
    const network = new Network(record);
    this.#byId.set(record.id, network);
    return network;
  }

  // ── networks ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What of the host's other firewalls concerns networks, in words. */
  async reports(): Promise<readonly string[]> {
    await this.#host.lookAtLegacy();
    return this.#host.reports;
  }

  /** Oldest first. */
  async all(): Promise<Network[]> {
    await this.default();
    return [...this.#byId.values()];
  }

  /** By name, id or the beginning of an id. @throws {OrlopError} no_such_network, ambiguous_network */
  async get(reference: string): Promise<Network> {
    if (reference === DEFAULT_NETWORK || reference === "default") return this.default();
    const known = [...this.#byId.values()];
    const exact = this.#byId.get(reference) ?? known.find(({ name }) => name === reference);
    if (exact !== undefined) return exact;
    const networks = await this.all();
    const matches = /^[0-9a-f]+$/.test(reference) ? networks.filter(({ id }) => id.startsWith(reference)) : [];
    if (matches.length > 1) throw OrlopError.of("ambiguous_network", { prefix: reference });
    const [found] = matches;
    if (found === undefined) throw OrlopError.of("no_such_network", { reference });
    return found;
  }

  /** The network that is always there, made with the first that asks for it. */
  default(): Promise<Network> {
    this.#default ??= this.#makeDefault().catch((error: unknown) => {
      this.#default = undefined;
      throw error;
    });
    return this.#default;
  }

  async #makeDefault(): Promise<Network> {
    const known = this.#byId.get(idOfBuiltIn(DEFAULT_NETWORK, this.#machineId));
    if (known !== undefined) return known;
    const record: NetworkRecord = {
      id: idOfBuiltIn(DEFAULT_NETWORK, this.#machineId),
      name: DEFAULT_NETWORK,
      createdNs: String(BigInt(Date.now()) * 1_000_000n),
      driver: "bridge",
      internal: false,
      attachable: false,
      options: {
        "com.docker.network.bridge.default_bridge": "true",
        "com.docker.network.bridge.enable_icc": "true",
        "com.docker.network.bridge.enable_ip_masquerade": "true",
        "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
        "com.docker.network.bridge.name": this.#names.defaultBridge,
        "com.docker.network.driver.mtu": "1500",
      },
      labels: {},
      ipamOptions: {},
      subnets: settleSubnets(anySubnets, await this.#surroundings()),
      linkName: this.#names.defaultBridge,
    };
    await this.#options.store.apply({ put: encodeNetwork(record) });
    point("network.default.recorded");
    return this.#add(record);
  }

  async #surroundings(): Promise<NetworkSurroundings> {
    const survey = await this.#host.survey();
    return {
      routes: routedSubnets(survey),
      networks: [...this.#byId.values()].flatMap(({ subnets }) => subnets),
      machineId: this.#machineId,
      hasIpv6: hasIpv6(),
      names: this.#names,
      links: survey.links.map(({ name }) => name),
    };
  }

  /** @throws {OrlopError} what is wrong with the request: nothing is made then */
  async create(body: NetworkCreateBody): Promise<Network> {
    if (isBuiltIn(body.Name)) throw OrlopError.of("network_name_built_in", { name: body.Name });
    if (!isName(body.Name) && !/^[a-zA-Z0-9]$/.test(body.Name))
      throw OrlopError.of("bad_value", {
        what: "network name",
        value: body.Name,
        expected: "a-z A-Z 0-9 _ . -, beginning with a letter or digit",
      });
    await this.default();
    if ([...this.#byId.values()].some(({ name }) => name === body.Name))
      throw OrlopError.of("network_name_in_use", { name: body.Name });
    const surroundings = await this.#surroundings();
    const record = settleNetwork(body, surroundings);
    if (record.driver === "bridge" && surroundings.links.includes(record.linkName))
      throw OrlopError.of("link_in_use", { name: record.linkName, network: "somebody else: it is there already" });
    const rival = [...this.#byId.values()].find(
      (other) => other.record.linkName === record.linkName && record.driver === "bridge",
    );
    if (rival !== undefined)
      throw OrlopError.of("link_in_use", { name: record.linkName, network: `network ${rival.name}` });
    // From here to the record nothing else may choose the same subnet.
    const network = this.#add(record);
    try {
      await this.#options.store.apply({ put: encodeNetwork(record) });
      point("network.create.recorded");
    } catch (error) {
      this.#byId.delete(record.id);
      throw error;
    }
    this.#tell("create", network);
    return network;
  }

  /** @throws {OrlopError} network_built_in, network_in_use */
  async remove(network: Network): Promise<void> {
    if (isBuiltIn(network.name)) throw OrlopError.of("network_built_in", { name: network.name });
    const active = [...network.members].filter((id) => this.#isActive(id));
    if (active.length > 0) {
      const members = active.map((id) => `name:${JSON.stringify(this.#nameOf(id))} id:"${id.slice(0, 12)}"`);
      throw OrlopError.of("network_in_use", { name: network.name, members: members.join(", ") });
    }
    this.#byId.delete(network.id);
    await this.#options.store.apply({ remove: { kind: "network", id: network.id } });
    point("network.remove.recorded");
    if (network.record.driver === "bridge") await this.#host.removeBridge(network);
    this.#tell("destroy", network);
  }

  /** What has ended gives its endpoints back behind the answer, and is in nobody's way. */
  #isActive(id: string): boolean {
    const container = this.#options.container(id);
    return container !== undefined && (container.isRunning || container.run.status !== "exited");
  }

  // ── containers ───────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * What can be known to be wrong before the start; and where nobody named a network, the one that this machine can give.
   *
   * @throws {OrlopError}
   */
  async settle(asked: ContainerCreateBody): Promise<Settled> {
    const { body, warnings } = withDefaultNetwork(asked);
    checkMode(body);
    const endpoints = endpointsOf(body);
    for (const { network: name, settings } of endpoints) checkEndpoint(await this.#asked(name), settings);
    nameLinks(endpoints.map(({ settings }) => endpointOptionsOf(settings).linkName));
    for (const text of body.HostConfig.Links) this.#checkLink(text.split(":")[0] ?? "");
    resolversOfBody(body);
    for (const text of body.HostConfig.ExtraHosts) parseExtraHost(text);
    return { body, warnings: [...warnings, ...modeWarnings(body)] };
  }

  /** Of a create: that something is not found means the image there, which clients pull then. @throws {OrlopError} */
  async #asked(name: string): Promise<Network> {
    try {
      return await this.get(name);
    } catch (error) {
      if (error instanceof OrlopError && error.code === "no_such_network")
        throw OrlopError.of("no_network_to_join", { network: name }, error);
      throw error;
    }
  }

  #checkLink(container: string): void {
    try {
      this.#options.find(container);
    } catch (error) {
      if (error instanceof OrlopError && error.code === "no_such_container")
        throw OrlopError.of("no_container_to_link", { container }, error);
      throw error;
    }
  }

  /**
   * The network of a container that does not exist yet, with its files; undefined where it is to be in others than the default
   * network. It goes by `attach` or by `takeBack`.
   */
  async lend(coming: Pick<NetworkedContainer, "id" | "body" | "places">): Promise<SandboxRecord | undefined> {
    const wishes = await this.#wishesOf(endpointsOf(coming.body));
    const [wish] = wishes;
    if (wish === undefined || !isPlain(wishes)) return undefined;
    const sandbox = this.#ready.take() ?? (await this.#sandboxes.makeReady(wish));
    try {
      this.#sandboxes.show(sandbox, coming.places.runDir);
      this.#writeFiles(coming, sandbox);
      return sandbox;
    } catch (error) {
      await this.takeBack(sandbox);
      throw error;
    }
  }

  /** What was lent, and is no container's. */
  takeBack(sandbox: SandboxRecord): Promise<void> {
    return this.#sandboxes.removeSandbox(sandbox);
  }

  /**
   * Before the start; steps that come first in the container's plan.
   *
   * @param lent what `lend` gave for it
   * @throws {OrlopError}
   */
  async attach(container: NetworkedContainer, lent?: SandboxRecord): Promise<Step[]> {
    const { body, id, name, places } = container;
    if (networkModeOf(body).kind !== "network") return [];
    const endpoints = await this.#wishesOf(container.endpoints);
    const { PortBindings, PublishAllPorts } = body.HostConfig;
    const ports = { bindings: PortBindings, exposed: container.exposedPorts, publishAll: PublishAllPorts };
    const wish = { containerId: id, containerName: name, runDir: places.runDir, endpoints, ports };
    const steps = await this.#sandboxes.attach(wish, lent ?? (isPlain(endpoints) ? this.#ready.take() : undefined));
    try {
      await this.#serveNames(container);
      this.#writeFiles(container);
    } catch (error) {
      await this.detach(container);
      throw error;
    }
    for (const { network } of endpoints) this.#tell("connect", network, id);
    return steps;
  }

  /** Its program runs. */
  noteStart({ id, places, run }: NetworkedContainer): void {
    this.#sandboxes.noteStart(id, places.runDir, run.pid);
  }

  /** What a start would do for such a container's networks. Nothing is made, and nothing taken. @throws {OrlopError} */
  async foresee({ body, exposedPorts }: Pick<NetworkedContainer, "body" | "exposedPorts">): Promise<ForeseenNetworks> {
    const asked = endpointsOf(body);
    if (asked.length === 0) return { steps: [], passages: { rules: [], reports: [] } };
    const endpoints: EndpointWish[] = [];
    for (const { network: name, settings } of asked) endpoints.push({ network: await this.get(name), settings });
    const bridged = endpoints.map(({ network }) => network).filter(({ record }) => record.driver === "bridge");
    const { PortBindings, PublishAllPorts } = body.HostConfig;
    const ports = { bindings: PortBindings, exposed: exposedPorts, publishAll: PublishAllPorts };
    const wish = { containerId: "", containerName: "explained", runDir: "", endpoints, ports };
    return {
      steps: [...bridged.flatMap((network) => this.#host.planMissingBridge(network)), ...this.#sandboxes.foresee(wish)],
      passages: await this.#host.foresee(bridged),
    };
  }

  #nameOf(containerId: string): string {
    return this.#options.container(containerId)?.name ?? containerId.slice(0, 12);
  }

  async #wishesOf(asked: readonly AskedEndpoint[]): Promise<EndpointWish[]> {
    const wishes: EndpointWish[] = [];
    for (const { network, settings } of asked) wishes.push({ network: await this.get(network), settings });
    return wishes;
  }

  /** /etc/hosts and its like, as the container's networks are now. */
  #writeFiles(
    { id, body, places }: Pick<NetworkedContainer, "id" | "body" | "places">,
    sandbox = this.#sandboxes.of(id),
  ): void {
    if (sandbox === undefined) return;
    const hostname = body.Hostname || (body.HostConfig.UTSMode === "host" ? this.#options.hostname : id.slice(0, 12));
    writeNetworkFiles({ body, hostname, directory: places.dataDir, sandbox, others: this.#linkedHosts(id) });
  }

  // ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Tells netd the container's names, and serves others' names to it. */
  async #serveNames(container: NetworkedContainer, endpoints = container.endpoints): Promise<void> {
    const named = this.#named(container);
    if (named === undefined) return;
    this.#links.set(container.id, this.#linksOf({ body: container.body, endpoints }));
    const hasServer = named.sandbox.resolverPort !== undefined;
    if (hasServer || named.named.length > 0 || needsEmbeddedServer(container.body)) {
      const port = await this.#nameService.serve(named);
      this.#sandboxes.noteResolver(container.id, container.places.runDir, port);
    }
    await this.#tellLinks(container.id);
    for (const id of this.#linkersOf(container.id)) await this.#tellLinks(id);
    await this.#openLinksOf(container.id);
  }

  /** Those that have a link to it. */
  #linkersOf(target: string): string[] {
    return [...this.#links].flatMap(([id, links]) =>
      id !== target && links.some((link) => link.target === target) ? [id] : [],
    );
  }

  /** Where containers may not talk to each other, links open what their target exposes. @param without a network that it leaves */
  async #openLinksOf(id: string, without?: string): Promise<void> {
    for (const owner of [id, ...this.#linkersOf(id)]) {
      const opened = (this.#links.get(owner) ?? []).flatMap(({ target }) => this.#openedBy(owner, target, without));
      await this.#host.open(owner, opened);
    }
  }

  #openedBy(owner: string, target: string, without: string | undefined): OpenedPort[] {
    const exposed = (this.#options.container(target)?.exposedPorts ?? []).flatMap(
      (written) => parseContainerPort(written) ?? [],
    );
    const theirs = this.#sandboxes.of(target)?.endpoints ?? [];
    return (this.#sandboxes.of(owner)?.endpoints ?? []).flatMap((own) => {
      const other = theirs.find(({ networkId }) => networkId === own.networkId && networkId !== without);
      const network = this.#byId.get(own.networkId);
      const [from, to] = [
        parseAddress(addressOf(own, 4)),
        parseAddress(other === undefined ? "" : addressOf(other, 4)),
      ];
      if (from === undefined || to === undefined || network?.isClosed !== true) return [];
      return exposed.map(({ port, protocol }) => ({ from, to, protocol, port }));
    });
  }

  #named({ id, name, body, exposedPorts, places }: NetworkedContainer): NamedContainer | undefined {
    const sandbox = this.#sandboxes.of(id);
    if (sandbox === undefined) return undefined;
    return {
      id,
      name,
      hostname: body.Hostname,
      namespace: sandboxPlace(places.runDir),
      sandbox,
      named: sandbox.endpoints.filter(({ networkId }) => this.#byId.get(networkId)?.isDefault === false),
      exposed: exposedPorts,
      servers: resolversOfBody(body).servers,
      setsDots: body.HostConfig.DnsOptions.some((option) => option.startsWith("ndots:")),
    };
  }

  /** `--link`, of the default network and those of each endpoint. @throws {OrlopError} no_such_container */
  #linksOf({ body, endpoints }: Pick<NetworkedContainer, "body" | "endpoints">): Link[] {
    const written = [...body.HostConfig.Links, ...endpoints.flatMap(({ settings }) => settings.Links)];
    return written.map((text) => {
      const [reference = "", alias = reference] = text.split(":");
      const target = this.#options.find(reference);
      return { target: target.id, aliases: [...new Set([alias, target.id.slice(0, 12), target.name])] };
    });
  }

  /**
   * What its environment says of those that it has links to in the default network, as they are when it starts.
   *
   * @throws {OrlopError} link_not_running, link_elsewhere
   */
  linkEnvironment({ name, body, endpoints }: Pick<NetworkedContainer, "name" | "body" | "endpoints">): string[] {
    if (!endpoints.some(({ network }) => this.#isDefault(network))) return [];
    return body.HostConfig.Links.flatMap((text) => {
      const [reference = "", alias = reference.replace(/^\//, "")] = text.split(":");
      const target = this.#options.container(this.#options.find(reference).id);
      if (target?.isRunning !== true)
        throw OrlopError.of("link_not_running", { target: target?.name ?? reference, link: `${name}/${alias}` });
      const places = this.#sandboxes.of(target.id)?.endpoints ?? [];
      const shared = places.find(({ networkId }) => this.#byId.get(networkId)?.isDefault === true);
      if (shared === undefined) throw OrlopError.of("link_elsewhere", { target: target.name });
      const address = addressOf(shared, 4) || addressOf(shared, 6);
      const { exposedPorts: exposed, body: its } = target;
      return linkEnvironment({ alias, ownName: name, address, exposed, environment: its.Env });
    });
  }

  /** As `linkEnvironment`, while it runs, whatever has become of the others. */
  knownLinkEnvironment(container: Pick<NetworkedContainer, "name" | "body" | "endpoints">): string[] {
    return container.body.HostConfig.Links.flatMap((link) => {
      const one = { ...container.body, HostConfig: { ...container.body.HostConfig, Links: [link] } };
      try {
        return this.linkEnvironment({ ...container, body: one });
      } catch {
        return [];
      }
    });
  }

  #isDefault(reference: string): boolean {
    return [DEFAULT_NETWORK, "default", idOfBuiltIn(DEFAULT_NETWORK, this.#machineId)].includes(reference);
  }

  /** As `#linksOf`; those to containers that are gone lead nowhere. */
  #knownLinksOf(container: NetworkedContainer): Link[] {
    try {
      return this.#linksOf(container);
    } catch {
      return [];
    }
  }

  #linkedTo(id: string): string[] {
    return (this.#links.get(id) ?? []).map(({ target }) => target);
  }

  async #tellLinks(id: string): Promise<void> {
    if (this.#sandboxes.of(id)?.resolverPort === undefined) return;
    for (const { target, aliases } of this.#links.get(id) ?? []) {
      const endpoint = this.#sharedEndpoint(id, target);
      if (endpoint !== undefined) await this.#nameService.tellLink(id, target, aliases, this.#reachable(endpoint));
    }
  }

  /** The target's endpoint in a network that both are in. */
  #sharedEndpoint(id: string, target: string): EndpointRecord | undefined {
    const own = new Set(this.#sandboxes.of(id)?.endpoints.map(({ networkId }) => networkId));
    return this.#sandboxes.of(target)?.endpoints.find(({ networkId }) => own.has(networkId));
  }

  /** A link opens ports of IPv4 alone. */
  #reachable(endpoint: EndpointRecord): EndpointRecord {
    if (this.#byId.get(endpoint.networkId)?.isClosed !== true) return endpoint;
    return { ...endpoint, addresses: endpoint.addresses.filter((address) => !address.includes(":")) };
  }

  /** Lines of /etc/hosts for links in the default network, which has no names. */
  #linkedHosts(id: string): (readonly [string, ...string[]])[] {
    return (this.#links.get(id) ?? []).flatMap(({ target, aliases }) => {
      const endpoint = this.#sharedEndpoint(id, target);
      if (endpoint === undefined || this.#byId.get(endpoint.networkId)?.isDefault !== true) return [];
      return ([4, 6] as const).flatMap((version) => {
        const address = addressOf(endpoint, version);
        return address === "" ? [] : [[address, ...aliases] as const];
      });
    });
  }

  /** It has another name now. */
  async renamed(container: NetworkedContainer): Promise<void> {
    const named = this.#named(container);
    if (named !== undefined) await this.#nameService.tellNames(container.id, named);
  }

  /** After the end, and for what a start left that failed. */
  async detach({ id, places }: Pick<NetworkedContainer, "id" | "places">): Promise<void> {
    const record = this.#sandboxes.of(id);
    await this.#sandboxes.detach(id, places.runDir);
    this.#links.delete(id);
    for (const { networkId } of record?.endpoints ?? []) {
      const network = this.#byId.get(networkId);
      if (network !== undefined) this.#tell("disconnect", network, id);
    }
  }

  sandboxOf(containerId: string): SandboxRecord | undefined {
    return this.#sandboxes.of(containerId);
  }

  /** The namespace's place on the host; "" for none. */
  pathOf({ id, places }: Pick<NetworkedContainer, "id" | "places">): string {
    return this.#sandboxes.of(id) === undefined ? "" : sandboxPlace(places.runDir);
  }

  /** Of a container that does not run nothing changes here: the caller writes down what its next start does. */
  async connect(container: NetworkedContainer, network: Network, settings: EndpointSettings): Promise<void> {
    checkEndpoint(network, settings);
    const endpoints = [...container.endpoints, { network: network.name, settings }];
    this.#linksOf({ body: container.body, endpoints });
    if (!container.isRunning) return;
    await this.#sandboxes.connect(container.id, container.places.runDir, { network, settings });
    await this.#serveNames(container, endpoints);
    this.#writeFiles(container);
    this.#tell("connect", network, container.id);
  }

  async disconnect(container: NetworkedContainer, network: Network): Promise<void> {
    if (!container.isRunning) return;
    await this.#openLinksOf(container.id, network.id);
    await this.#sandboxes.disconnect(container.id, container.places.runDir, network.id);
    await this.#nameService.leave(container.id, network.id);
    const left = container.endpoints.filter(
      (endpoint) => endpoint.network !== network.name && endpoint.network !== network.id,
    );
    await this.#serveNames(container, left);
    this.#writeFiles(container);
    this.#tell("disconnect", network, container.id);
  }

  #tell(action: "create" | "destroy" | "connect" | "disconnect", network: Network, container?: string): void {
    const { name, driver } = network.record;
    const attributes = { name, type: driver, ...(container === undefined ? {} : { container }) };
    this.#options.events.publish({ type: "network", action, id: network.id, attributes });
  }

  // ── the engine's start and end ───────────────────────────────────────────────────────────────────────────────────

  /** A container that has a sandbox; whether it still runs is not known yet. */
  adopt({ id, places }: Pick<NetworkedContainer, "id" | "places">): void {
    this.#sandboxes.adopt(id, places.runDir);
  }

  /** When every container has been adopted, and is known to run or not: the kernel is made to agree. */
  async reconcile(): Promise<void> {
    for (const id of this.#sandboxes.containerIds) {
      const container = this.#options.container(id);
      const named = container?.isRunning ? this.#named(container) : undefined;
      if (container === undefined || named === undefined) continue;
      this.#links.set(id, this.#knownLinksOf(container));
      this.#nameService.adopt(named);
    }
    await this.#options.netd.sync();
    for (const id of this.#links.keys()) {
      await this.#tellLinks(id);
      await this.#openLinksOf(id);
    }
    for (const id of this.#sandboxes.containerIds) {
      const container = this.#options.container(id);
      if (container !== undefined && !container.isRunning) await this.detach(container);
    }
    if (this.#host.wasUsed) {
      const survey = await this.#host.survey();
      await this.#sandboxes.removeStrays(survey);
      await this.#host.removeStrays(survey, new Set([...this.#byId.values()].map(({ record }) => record.linkName)));
    }
    const running = this.#sandboxes.containerIds.flatMap((id) => this.#options.container(id) ?? []);
    if (running.length > 0) {
      const links = new Set((await this.#host.survey()).links.map(({ name }) => name));
      for (const container of running)
        await this.#finishChanges(container, links).catch((error: unknown) =>
          log("error", `networks of ${container.id}`, error),
        );
      for (const { id, places, run } of running)
        void this.#options.background(`the network namespace of ${id}`, () =>
          this.#sandboxes.handOver(id, places.runDir, run.pid),
        );
    }
    for (const id of this.#sandboxes.networkIds) {
      const network = this.#byId.get(id);
      if (network?.record.driver === "bridge") await this.#host.bridgeIndex(network);
    }
  }

  /**
   * A connect or disconnect that an earlier engine was killed in: what is written down of the container holds.
   *
   * @param links of the host: where one is missing, so is what it led to
   */
  async #finishChanges(container: NetworkedContainer, links: ReadonlySet<string>): Promise<void> {
    const { id, places } = container;
    const wanted = new Map<string, EndpointWish>();
    for (const { network: name, settings } of container.endpoints) {
      const network = await this.get(name);
      wanted.set(network.id, { network, settings });
    }
    const before = this.#sandboxes.of(id)?.endpoints ?? [];
    const kept = before.filter(
      ({ networkId, portName }) => wanted.has(networkId) && (portName === "" || links.has(portName)),
    );
    const missing = [...wanted].filter(([networkId]) => !kept.some((one) => one.networkId === networkId));
    if (kept.length === before.length && missing.length === 0) return;
    for (const { networkId } of before.filter((one) => !kept.includes(one)))
      await this.#sandboxes.disconnect(id, places.runDir, networkId);
    for (const [, wish] of missing) await this.#sandboxes.connect(id, places.runDir, wish);
    await this.#serveNames(container);
    this.#writeFiles(container);
  }

  /** @param final the engine will not be back soon: nothing stays that no container uses */
  async close(final: boolean): Promise<void> {
    await this.#ready.close();
    const bridges = [...this.#byId.values()].flatMap(({ record }) =>
      record.driver === "bridge" ? record.linkName : [],
    );
    if (final && this.#sandboxes.isEmpty) await this.#host.dismantle(bridges);
  }
}

/** Docker's words. */
function modeWarnings(body: ContainerCreateBody): string[] {
  const { PortBindings, PublishAllPorts } = body.HostConfig;
  const publishes = PublishAllPorts || Object.keys(PortBindings).length > 0;
  if (networkModeOf(body).kind !== "host" || !publishes) return [];
  return ["Published ports are discarded when using host network mode"];
}

export interface Settled {
  readonly body: ContainerCreateBody;
  readonly warnings: readonly string[];
}

/** The default network, unless this machine has not what it needs. What was published could be reached nowhere then: it fails by name. */
function withDefaultNetwork(body: ContainerCreateBody): Settled {
  const { NetworkMode, PortBindings, PublishAllPorts } = body.HostConfig;
  const isAsked =
    (NetworkMode !== "" && NetworkMode !== "default") || PublishAllPorts || Object.keys(PortBindings).length > 0;
  if (isAsked || findNft() !== undefined) return { body, warnings: [] };
  return {
    body: { ...body, HostConfig: { ...body.HostConfig, NetworkMode: "none" } },
    warnings: [
      "bridge networks need the program nft (apt-get install nftables): the container has a loopback interface alone",
    ],
  };
}

const anySubnets = {
  IPAM: { Driver: "", Config: [], Options: {} },
  EnableIPv4: true,
  EnableIPv6: undefined,
} as const satisfies Pick<NetworkCreateBody, "IPAM" | "EnableIPv4" | "EnableIPv6">;

/** @throws {OrlopError} what the network cannot give */
function checkEndpoint(network: Network, settings: EndpointSettings): void {
  const { IPAMConfig, Aliases, MacAddress } = settings;
  if (network.record.driver === "host" || network.record.driver === "null")
    throw OrlopError.of("network_mode_excludes", { mode: network.name, what: "another network" });
  if (network.isDefault && (IPAMConfig.IPv4Address !== "" || IPAMConfig.IPv6Address !== ""))
    throw OrlopError.of("address_not_allowed", { network: network.name });
  if (network.isDefault && Aliases.length > 0) throw OrlopError.of("alias_not_allowed", { network: network.name });
  if (MacAddress !== "" && parseMac(MacAddress) === undefined)
    throw OrlopError.of("bad_value", { what: "MacAddress", value: MacAddress, expected: "e.g. 02:42:0a:00:00:02" });
  if (settings.Links.length > 0 && network.isClosed && !network.has(4))
    throw OrlopError.of("unknown_field", {
      field: `a link in ${network.name}, which has no IPv4 and whose containers may not talk to each other,`,
    });
  linkLocalsOf(IPAMConfig);
  endpointOptionsOf(settings);
}

/** In the default network alone, with nothing that is asked of it there. */
function isPlain([first, ...more]: readonly EndpointWish[]): boolean {
  if (first === undefined || more.length > 0 || !first.network.isDefault) return false;
  const { MacAddress, Aliases, DriverOpts, IPAMConfig } = first.settings;
  const asksMore = Object.keys(DriverOpts).length > 0 || linkLocalsOf(IPAMConfig).length > 0;
  return MacAddress === "" && Aliases.length === 0 && !asksMore;
}
