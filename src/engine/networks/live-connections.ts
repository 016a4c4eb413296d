/** Connecting and disconnecting a running container: its namespace, its names and its links. */

import type { EndpointSettings } from "../../spec/engine-api-network.ts";
import type { Arrivals } from "./arrivals.ts";
import type { ContainerLinks } from "./container-links.ts";
import type { ContainerNames } from "./container-names.ts";
import type { Network } from "./network.ts";
import { checkEndpoint } from "./network-settle.ts";
import type { NetworkedContainer } from "./networked-container.ts";
import type { Sandboxes } from "./sandboxes.ts";

export interface ConnectionParts {
  readonly sandboxes: Sandboxes;
  readonly arrivals: Arrivals;
  readonly links: ContainerLinks;
  readonly names: ContainerNames;
}

export class LiveConnections {
  readonly #parts: ConnectionParts;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  /** @returns false for a container that does not run, which was only checked. @throws {OrlopError} */
  async connect(container: NetworkedContainer, network: Network, settings: EndpointSettings): Promise<boolean> {
    const { sandboxes, arrivals, links, names } = this.#parts;
    checkEndpoint(network, settings);
    const endpoints = [...container.endpoints, { network: network.name, settings }];
    links.check({ body: container.body, endpoints });
    if (!container.isRunning) return false;
    arrivals.begin(container.id, [network]);
    try {
      await this.#unlessEnded(container, async () => {
        await sandboxes.connect(container.id, container.places.runDir, { network, settings });
        await names.announce(container, endpoints);
      });
    } finally {
      arrivals.end(container.id);
    }
    return true;
  }

  /** @returns false for a container that does not run: nothing was done */
  async disconnect(container: NetworkedContainer, network: Network): Promise<boolean> {
    if (!container.isRunning) return false;
    const { sandboxes, links, names } = this.#parts;
    const left = container.endpoints.filter(
      (endpoint) => endpoint.network !== network.name && endpoint.network !== network.id,
    );
    await this.#unlessEnded(container, async () => {
      await links.open(container.id, network.id);
      await sandboxes.disconnect(container.id, container.places.runDir, network.id);
      await names.leave(container.id, network.id);
      await names.announce(container, left);
    });
    return true;
  }

  /** Ignores a failure if the container has ended meanwhile: releasing its sandbox undoes what was done. */
  async #unlessEnded({ id }: NetworkedContainer, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!this.#parts.sandboxes.hasEnded(id)) throw error;
    }
  }
}
