/** Names of running containers, for each other: served by netd, and in /etc/hosts and the like. */

import type { Resolvers } from "../../network/name-files.ts";
import { sandboxPlace } from "../places.ts";
import type { ContainerLinks } from "./container-links.ts";
import type { NamedContainer, NameService } from "./name-service.ts";
import { type NetworkFiles, needsEmbeddedServer, resolversOfBody, writeNetworkFiles } from "./network-files.ts";
import type { NetworkStore } from "./network-store.ts";
import type { NetworkedContainer } from "./networked-container.ts";
import type { SandboxRecord } from "./sandbox-record.ts";
import type { Sandboxes } from "./sandboxes.ts";

export interface ContainerNamesParts {
  readonly store: NetworkStore;
  readonly sandboxes: Sandboxes;
  readonly nameService: NameService;
  readonly links: ContainerLinks;
  /** The host's name. */
  readonly hostname: string;
}

/** What is needed to write a container's files. */
type FiledContainer = Pick<NetworkedContainer, "id" | "body" | "places">;

export class ContainerNames {
  readonly #parts: ContainerNamesParts;

  constructor(parts: ContainerNamesParts) {
    this.#parts = parts;
  }

  /**
   * Registers the container's names with netd, starts its name server, and writes its files.
   *
   * @param written what `writeFiles` wrote for it already
   */
  async announce(
    container: NetworkedContainer,
    endpoints = container.endpoints,
    written?: NetworkFiles,
  ): Promise<void> {
    const { id, body } = container;
    const sandbox = this.#parts.sandboxes.of(id);
    if (sandbox === undefined) return;
    const resolvers = resolversOfBody(body);
    await this.#serve(this.#named(container, sandbox, resolvers), container, endpoints, needsEmbeddedServer(resolvers));
    const own = this.#parts.sandboxes.of(id);
    if (own !== undefined) this.#write(container, own, resolvers, written);
  }

  async #serve(
    named: NamedContainer,
    container: NetworkedContainer,
    endpoints: NetworkedContainer["endpoints"],
    needsServer: boolean,
  ): Promise<void> {
    const { sandboxes, nameService, links } = this.#parts;
    links.record({ id: container.id, body: container.body, endpoints });
    const hasServer = named.sandbox.resolverPort !== undefined;
    if (hasServer || named.named.length > 0 || needsServer) {
      const port = await nameService.serve(named);
      sandboxes.noteResolver(container.id, container.places.runDir, port);
    }
    await links.serve(container.id);
  }

  /** Writes /etc/hosts and the like for a container whose network is made before it exists. @throws {OrlopError} bad_value */
  writeFiles(coming: FiledContainer, sandbox: SandboxRecord): NetworkFiles {
    return this.#write(coming, sandbox, resolversOfBody(coming.body));
  }

  #write(
    { id, body, places }: FiledContainer,
    sandbox: SandboxRecord,
    resolvers: Resolvers,
    written?: NetworkFiles,
  ): NetworkFiles {
    const hostname = body.Hostname || (body.HostConfig.UTSMode === "host" ? this.#parts.hostname : id.slice(0, 12));
    const others = this.#parts.links.hostsOf(id);
    return writeNetworkFiles({ body, hostname, directory: places.files, sandbox, resolvers, others }, written);
  }

  /** Called after a rename. */
  async renamed(container: NetworkedContainer): Promise<void> {
    const named = this.#known(container);
    if (named !== undefined) await this.#parts.nameService.registerNames(container.id, named);
  }

  /** Called when a link of the container was removed. */
  async unlinked(container: NetworkedContainer): Promise<void> {
    const { links, nameService, sandboxes } = this.#parts;
    const before = links.targetsOf(container.id);
    await this.announce(container);
    const left = new Set(links.targetsOf(container.id));
    if (sandboxes.of(container.id)?.resolverPort === undefined) return;
    for (const target of before) if (!left.has(target)) await nameService.forgetLink(container.id, target);
  }

  /** The container has left a network. */
  leave(id: string, networkId: string): Promise<void> {
    return this.#parts.nameService.leave(id, networkId);
  }

  /** Takes over a running container: netd goes on serving the names that an earlier engine has registered. */
  adopt(container: NetworkedContainer): void {
    const named = this.#known(container);
    if (named === undefined) return;
    this.#parts.links.adopt(container);
    this.#parts.nameService.adopt(named);
  }

  /** Withdraws its names. Must be called before its namespace is removed and its addresses are free for others. */
  async withdraw(id: string, record: SandboxRecord): Promise<void> {
    const { links, nameService } = this.#parts;
    await links.open(id);
    await nameService.withdraw(id, record, links.targetsOf(id));
  }

  /** undefined for a container in no network. */
  #known(container: NetworkedContainer): NamedContainer | undefined {
    const sandbox = this.#parts.sandboxes.of(container.id);
    return sandbox === undefined ? undefined : this.#named(container, sandbox, resolversOfBody(container.body));
  }

  #named(
    { id, name, body, exposedPorts, places }: NetworkedContainer,
    sandbox: SandboxRecord,
    { servers }: Resolvers,
  ): NamedContainer {
    return {
      id,
      name,
      hostname: body.Hostname,
      namespace: sandboxPlace(places.runDir),
      sandbox,
      named: sandbox.endpoints.filter(({ networkId }) => this.#parts.store.of(networkId)?.isDefault === false),
      exposed: exposedPorts,
      servers,
      setsDots: body.HostConfig.DnsOptions.some((option) => option.startsWith("ndots:")),
    };
  }
}
