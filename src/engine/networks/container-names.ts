/** What a running container knows others by, and others it: netd's names, /etc/hosts and its like. */

import { sandboxPlace } from "../places.ts";
import type { ContainerLinks } from "./container-links.ts";
import type { NamedContainer, NameService } from "./name-service.ts";
import { needsEmbeddedServer, resolversOfBody, writeNetworkFiles } from "./network-files.ts";
import type { NetworkStore } from "./network-store.ts";
import type { NetworkedContainer } from "./networked-container.ts";
import type { SandboxRecord } from "./sandbox-record.ts";
import type { Sandboxes } from "./sandboxes.ts";

export interface ContainerNamesParts {
  readonly store: NetworkStore;
  readonly sandboxes: Sandboxes;
  readonly nameService: NameService;
  readonly links: ContainerLinks;
  /** The host's. */
  readonly hostname: string;
}

export class ContainerNames {
  readonly #parts: ContainerNamesParts;

  constructor(parts: ContainerNamesParts) {
    this.#parts = parts;
  }

  /** Tells netd the container's names, serves others' names to it, and writes its files. */
  async tell(container: NetworkedContainer, endpoints = container.endpoints): Promise<void> {
    await this.#serve(container, endpoints);
    this.writeFiles(container);
  }

  async #serve(container: NetworkedContainer, endpoints: NetworkedContainer["endpoints"]): Promise<void> {
    const { sandboxes, nameService, links } = this.#parts;
    const named = this.#named(container);
    if (named === undefined) return;
    links.note({ id: container.id, body: container.body, endpoints });
    const hasServer = named.sandbox.resolverPort !== undefined;
    if (hasServer || named.named.length > 0 || needsEmbeddedServer(container.body)) {
      const port = await nameService.serve(named);
      sandboxes.noteResolver(container.id, container.places.runDir, port);
    }
    await links.serve(container.id);
  }

  /** /etc/hosts and its like, as the container's networks are now. */
  writeFiles(
    { id, body, places }: Pick<NetworkedContainer, "id" | "body" | "places">,
    sandbox: SandboxRecord | undefined = this.#parts.sandboxes.of(id),
  ): void {
    if (sandbox === undefined) return;
    const hostname = body.Hostname || (body.HostConfig.UTSMode === "host" ? this.#parts.hostname : id.slice(0, 12));
    writeNetworkFiles({ body, hostname, directory: places.files, sandbox, others: this.#parts.links.hostsOf(id) });
  }

  /** It has another name now. */
  async renamed(container: NetworkedContainer): Promise<void> {
    const named = this.#named(container);
    if (named !== undefined) await this.#parts.nameService.tellNames(container.id, named);
  }

  /** It has left this network. */
  leave(id: string, networkId: string): Promise<void> {
    return this.#parts.nameService.leave(id, networkId);
  }

  /** After an engine's death: what netd has been told already stays as it is. */
  adopt(container: NetworkedContainer): void {
    const named = this.#named(container);
    if (named === undefined) return;
    this.#parts.links.adopt(container);
    this.#parts.nameService.adopt(named);
  }

  /** Before its namespace goes, and while nobody else can have its addresses. */
  async withdraw(id: string, record: SandboxRecord): Promise<void> {
    const { links, nameService } = this.#parts;
    await links.open(id);
    await nameService.withdraw(id, record, links.targetsOf(id));
  }

  #named({ id, name, body, exposedPorts, places }: NetworkedContainer): NamedContainer | undefined {
    const sandbox = this.#parts.sandboxes.of(id);
    if (sandbox === undefined) return undefined;
    return {
      id,
      name,
      hostname: body.Hostname,
      namespace: sandboxPlace(places.runDir),
      sandbox,
      named: sandbox.endpoints.filter(({ networkId }) => this.#parts.store.of(networkId)?.isDefault === false),
      exposed: exposedPorts,
      servers: resolversOfBody(body).servers,
      setsDots: body.HostConfig.DnsOptions.some((option) => option.startsWith("ndots:")),
    };
  }
}
