/** All networks: creating, finding and removing them, and their records in the store. */

import { OrlopError } from "../../base/errors.ts";
import { isName } from "../../base/id.ts";
import { point } from "../../base/point.ts";
import type { LinkNames } from "../../network/link-names.ts";
import type { NetworkCreateBody } from "../../spec/engine-api-network.ts";
import type { RecordStore, Row } from "../../store/rows.ts";
import { readText } from "../machine.ts";
import { type HostNetwork, hasIpv6, routedSubnets } from "./host-network.ts";
import { Network } from "./network.ts";
import { type NetworkSurroundings, settleNetwork, settleSubnets } from "./network-create.ts";
import { parentOptionsOf } from "./network-options.ts";
import {
  builtInNetworks,
  DEFAULT_NETWORK,
  decodeNetwork,
  encodeNetwork,
  idOfBuiltIn,
  isBuiltIn,
  type NetworkRecord,
} from "./network-record.ts";

export interface NetworkStoreParts {
  readonly store: RecordStore;
  /** The stored records. */
  readonly rows: readonly Row[];
  readonly host: HostNetwork;
  readonly names: LinkNames;
}

export class NetworkStore {
  readonly #parts: NetworkStoreParts;
  readonly #byId = new Map<string, Network>();
  readonly #machineId = readText("/etc/machine-id")?.trim() || "unknown";
  #default: Promise<Network> | undefined;

  constructor(parts: NetworkStoreParts) {
    this.#parts = parts;
    for (const row of parts.rows) this.#add(decodeNetwork(row));
    for (const record of builtInNetworks(this.#machineId, "0")) this.#add(record);
  }

  #add(record: NetworkRecord): Network {
    const network = new Network(record);
    this.#byId.set(record.id, network);
    return network;
  }

  /** undefined for a network that has been removed. */
  of(id: string): Network | undefined {
    return this.#byId.get(id);
  }

  /** Without the default network until it is first used. */
  get records(): readonly NetworkRecord[] {
    return [...this.#byId.values()].map(({ record }) => record);
  }

  /** Oldest first. */
  async all(): Promise<Network[]> {
    await this.default();
    return [...this.#byId.values()];
  }

  /** Finds a network by its name, its id or a prefix of its id. @throws {OrlopError} no_such_network, ambiguous_network */
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

  /** Whether a reference (name or id) means the default network. */
  isDefault(reference: string): boolean {
    return [DEFAULT_NETWORK, "default", idOfBuiltIn(DEFAULT_NETWORK, this.#machineId)].includes(reference);
  }

  /** The default network, which is created when it is first used. */
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
        "com.docker.network.bridge.name": this.#parts.names.defaultBridge,
        "com.docker.network.driver.mtu": "1500",
      },
      labels: {},
      ipamOptions: {},
      subnets: settleSubnets(anySubnets, await this.#surroundings()),
      linkName: this.#parts.names.defaultBridge,
    };
    await this.#parts.store.apply({ put: encodeNetwork(record) });
    point("network.default.recorded");
    return this.#add(record);
  }

  async #surroundings(): Promise<NetworkSurroundings> {
    const survey = await this.#parts.host.survey();
    return {
      routes: routedSubnets(survey),
      networks: [...this.#byId.values()].flatMap(({ subnets }) => subnets),
      machineId: this.#machineId,
      hasIpv6: hasIpv6(),
      names: this.#parts.names,
      links: survey.links.map(({ name }) => name),
    };
  }

  /** @throws {OrlopError} the request is wrong; nothing is created then */
  async create(body: NetworkCreateBody): Promise<Network> {
    const around = await this.#lookAround(body);
    // From here to where it is added nothing waits: another request may ask for the same name or subnet at the same time.
    const record = this.#settle(body, around);
    const network = this.#add(record);
    try {
      await this.#parts.store.apply({ put: encodeNetwork(record) });
      point("network.create.recorded");
    } catch (error) {
      this.#byId.delete(record.id);
      throw error;
    }
    return network;
  }

  /** What `create` would make, which is nowhere. @throws {OrlopError} as `create` */
  async foresee(body: NetworkCreateBody): Promise<Network> {
    const around = await this.#lookAround(body);
    return new Network(this.#settle(body, around));
  }

  async #lookAround(body: NetworkCreateBody): Promise<NetworkSurroundings> {
    if (isBuiltIn(body.Name)) throw OrlopError.of("network_name_built_in", { name: body.Name });
    if (!isName(body.Name) && !/^[a-zA-Z0-9]$/.test(body.Name))
      throw OrlopError.of("bad_value", {
        what: "network name",
        value: body.Name,
        expected: "a-z A-Z 0-9 _ . -, beginning with a letter or digit",
      });
    await this.default();
    return this.#surroundings();
  }

  #settle(body: NetworkCreateBody, surroundings: NetworkSurroundings): NetworkRecord {
    if ([...this.#byId.values()].some(({ name }) => name === body.Name))
      throw OrlopError.of("network_name_in_use", { name: body.Name });
    const record = settleNetwork(body, surroundings);
    if (record.driver === "bridge" && surroundings.links.includes(record.linkName))
      throw OrlopError.of("link_in_use", { name: record.linkName, network: "somebody else: it is there already" });
    const rival = [...this.#byId.values()].find(
      (other) => other.record.linkName === record.linkName && record.driver === "bridge",
    );
    if (rival !== undefined)
      throw OrlopError.of("link_in_use", { name: record.linkName, network: `network ${rival.name}` });
    checkParent(record, [...this.#byId.values()]);
    return record;
  }

  /** @param network no container is in it */
  async remove(network: Network): Promise<void> {
    this.#byId.delete(network.id);
    await this.#parts.store.apply({ remove: { kind: "network", id: network.id } });
    point("network.remove.recorded");
    if (network.record.driver === "bridge") await this.#parts.host.removeBridge(network);
  }
}

/** The kernel has one mode for all ipvlan links of a parent: a link with another mode would change the others. */
function checkParent(record: NetworkRecord, others: readonly Network[]): void {
  for (const { name, record: other } of others) {
    if (record.driver !== "ipvlan" || other.driver !== "ipvlan" || other.linkName !== record.linkName) continue;
    const [own, its] = [parentOptionsOf("ipvlan", record.options), parentOptionsOf("ipvlan", other.options)];
    if (own.mode !== its.mode || own.flag !== its.flag)
      throw OrlopError.of("bad_value", {
        what: "network option ipvlan_mode or ipvlan_flag",
        value: `${own.mode} ${own.flag}`,
        expected: `${its.mode} ${its.flag}, as the network ${name} has them on the same parent`,
      });
  }
}

const anySubnets = {
  IPAM: { Driver: "", Config: [], Options: {} },
  EnableIPv4: true,
  EnableIPv6: undefined,
} as const satisfies Pick<NetworkCreateBody, "IPAM" | "EnableIPv4" | "EnableIPv6">;
