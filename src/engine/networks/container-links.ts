/** `--link`: gives a container other names for another one, and lets it reach the ports that that one exposes. */

import { OrlopError } from "../../base/errors.ts";
import { parseAddress } from "../../base/ip-address.ts";
import type { OpenedPort } from "../../network/ruleset.ts";
import { parseContainerPort } from "../../spec/engine-api-network.ts";
import type { HostNetwork } from "./host-network.ts";
import { linkEnvironment } from "./link-environment.ts";
import type { NameService } from "./name-service.ts";
import type { NetworkStore } from "./network-store.ts";
import type { NetworkedContainer } from "./networked-container.ts";
import { addressOf, type EndpointRecord } from "./sandbox-record.ts";
import type { Sandboxes } from "./sandboxes.ts";

/** Parses a link as written: "TARGET:ALIAS" or "TARGET". */
export function parseLink(written: string): { readonly reference: string; readonly alias: string } {
  const [reference = "", alias = reference.replace(/^\//, "")] = written.split(":");
  return { reference, alias };
}

interface Link {
  /** The id of the linked container. */
  readonly target: string;
  readonly aliases: readonly string[];
}

export interface ContainerLinksParts {
  readonly host: HostNetwork;
  readonly store: NetworkStore;
  readonly sandboxes: Pick<Sandboxes, "of">;
  readonly nameService: NameService;
  /** undefined for a container that has been removed. */
  container(id: string): NetworkedContainer | undefined;
  /** By id or name. @throws {OrlopError} no_such_container */
  find(reference: string): { readonly id: string; readonly name: string };
}

export class ContainerLinks {
  readonly #parts: ContainerLinksParts;
  /** By the id of the container that has the links. */
  readonly #links = new Map<string, readonly Link[]>();

  constructor(parts: ContainerLinksParts) {
    this.#parts = parts;
  }

  /** @throws {OrlopError} no_such_container for a link to none */
  check(container: Pick<NetworkedContainer, "body" | "endpoints">): void {
    this.#linksOf(container);
  }

  /** Records the links of a running container. @throws as `check` */
  record(container: Pick<NetworkedContainer, "id" | "body" | "endpoints">): void {
    this.#links.set(container.id, this.#linksOf(container));
  }

  /** As `record`, for a container that an earlier engine started: links to removed containers are left out. */
  adopt(container: NetworkedContainer): void {
    this.#links.set(container.id, this.#knownLinksOf(container));
  }

  forget(id: string): void {
    this.#links.delete(id);
  }

  /** Registers names and opens ports, for the container's own links and for those of others to it. */
  async serve(id: string): Promise<void> {
    await this.#registerNames(id);
    for (const linker of this.#linkersOf(id)) await this.#registerNames(linker);
    await this.open(id);
  }

  /** As `serve`, for all adopted containers. */
  async serveAdopted(): Promise<void> {
    for (const id of this.#links.keys()) {
      await this.#registerNames(id);
      await this.open(id);
    }
  }

  /** In networks whose containers may not talk to each other (icc=false), opens the ports that link targets expose. @param without the id of a network that the container is leaving */
  async open(id: string, without?: string): Promise<void> {
    for (const owner of [id, ...this.#linkersOf(id)]) {
      const opened = (this.#links.get(owner) ?? []).flatMap(({ target }) => this.#openedBy(owner, target, without));
      await this.#parts.host.rules.open(owner, opened);
    }
  }

  #openedBy(owner: string, target: string, without: string | undefined): OpenedPort[] {
    const exposed = (this.#parts.container(target)?.exposedPorts ?? []).flatMap(
      (written) => parseContainerPort(written) ?? [],
    );
    const theirs = this.#parts.sandboxes.of(target)?.endpoints ?? [];
    return (this.#parts.sandboxes.of(owner)?.endpoints ?? []).flatMap((own) => {
      const other = theirs.find(({ networkId }) => networkId === own.networkId && networkId !== without);
      const network = this.#parts.store.of(own.networkId);
      const [from, to] = [
        parseAddress(addressOf(own, 4)),
        parseAddress(other === undefined ? "" : addressOf(other, 4)),
      ];
      if (from === undefined || to === undefined || network?.isClosed !== true) return [];
      return exposed.map(({ port, protocol }) => ({ from, to, protocol, port }));
    });
  }

  /** Ids of the containers that it has links to. */
  targetsOf(id: string): string[] {
    return (this.#links.get(id) ?? []).map(({ target }) => target);
  }

  /** Lines of /etc/hosts for links in the default network, which has no name server. */
  hostsOf(id: string): (readonly [string, ...string[]])[] {
    return (this.#links.get(id) ?? []).flatMap(({ target, aliases }) => {
      const endpoint = this.#sharedEndpoint(id, target);
      if (endpoint === undefined || this.#parts.store.of(endpoint.networkId)?.isDefault !== true) return [];
      return ([4, 6] as const).flatMap((version) => {
        const address = addressOf(endpoint, version);
        return address === "" ? [] : [[address, ...aliases] as const];
      });
    });
  }

  /**
   * The environment variables for links in the default network, from the state of the linked containers now.
   *
   * @throws {OrlopError} link_not_running, link_elsewhere
   */
  environmentOf({ name, body, endpoints }: Pick<NetworkedContainer, "name" | "body" | "endpoints">): string[] {
    if (!endpoints.some(({ network }) => this.#parts.store.isDefault(network))) return [];
    return body.HostConfig.Links.flatMap((text) => {
      const { reference, alias } = parseLink(text);
      const target = this.#parts.container(this.#parts.find(reference).id);
      if (target?.isRunning !== true)
        throw OrlopError.of("link_not_running", { target: target?.name ?? reference, link: `${name}/${alias}` });
      const places = this.#parts.sandboxes.of(target.id)?.endpoints ?? [];
      const shared = places.find(({ networkId }) => this.#parts.store.of(networkId)?.isDefault === true);
      if (shared === undefined) throw OrlopError.of("link_elsewhere", { target: target.name });
      const address = addressOf(shared, 4) || addressOf(shared, 6);
      const { exposedPorts: exposed, body: its } = target;
      return linkEnvironment({ alias, ownName: name, address, exposed, environment: its.Env });
    });
  }

  /** As `environmentOf`, without the links that fail. */
  knownEnvironmentOf(container: Pick<NetworkedContainer, "name" | "body" | "endpoints">): string[] {
    return container.body.HostConfig.Links.flatMap((link) => {
      const one = { ...container.body, HostConfig: { ...container.body.HostConfig, Links: [link] } };
      try {
        return this.environmentOf({ ...container, body: one });
      } catch {
        return [];
      }
    });
  }

  /** The links of HostConfig (for the default network) and of each endpoint. @throws {OrlopError} no_such_container */
  #linksOf({ body, endpoints }: Pick<NetworkedContainer, "body" | "endpoints">): Link[] {
    const written = [...body.HostConfig.Links, ...endpoints.flatMap(({ settings }) => settings.Links)];
    return written.map((text) => {
      const { reference, alias } = parseLink(text);
      const target = this.#parts.find(reference);
      return { target: target.id, aliases: [...new Set([alias, target.id.slice(0, 12), target.name])] };
    });
  }

  /** As `#linksOf`; none if one of the linked containers has been removed. */
  #knownLinksOf(container: NetworkedContainer): Link[] {
    try {
      return this.#linksOf(container);
    } catch {
      return [];
    }
  }

  /** Ids of the containers that have a link to `target`. */
  #linkersOf(target: string): string[] {
    return [...this.#links].flatMap(([id, links]) =>
      id !== target && links.some((link) => link.target === target) ? [id] : [],
    );
  }

  async #registerNames(id: string): Promise<void> {
    if (this.#parts.sandboxes.of(id)?.resolverPort === undefined) return;
    const byTarget = Map.groupBy(this.#links.get(id) ?? [], ({ target }) => target);
    for (const [target, links] of byTarget) {
      const endpoint = this.#sharedEndpoint(id, target);
      const aliases = [...new Set(links.flatMap((link) => link.aliases))];
      if (endpoint !== undefined)
        await this.#parts.nameService.registerLink(id, target, aliases, this.#reachable(endpoint));
    }
  }

  /** The target's endpoint in a network that both are in. */
  #sharedEndpoint(id: string, target: string): EndpointRecord | undefined {
    const own = new Set(this.#parts.sandboxes.of(id)?.endpoints.map(({ networkId }) => networkId));
    return this.#parts.sandboxes.of(target)?.endpoints.find(({ networkId }) => own.has(networkId));
  }

  /** Where links open ports (icc=false), they do so for IPv4 only: IPv6 addresses are left out. */
  #reachable(endpoint: EndpointRecord): EndpointRecord {
    if (this.#parts.store.of(endpoint.networkId)?.isClosed !== true) return endpoint;
    return { ...endpoint, addresses: endpoint.addresses.filter((address) => !address.includes(":")) };
  }
}
