/** Networks that a container enters and leaves while it runs: its namespace, and what it and the others know each other by. */

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

  /** @returns false when it does not run: then it was only checked @throws {OrlopError} */
  async connect(container: NetworkedContainer, network: Network, settings: EndpointSettings): Promise<boolean> {
    const { sandboxes, arrivals, links, names } = this.#parts;
    checkEndpoint(network, settings);
    const endpoints = [...container.endpoints, { network: network.name, settings }];
    links.check({ body: container.body, endpoints });
    if (!container.isRunning) return false;
    arrivals.begin(container.id, [network]);
    try {
      await this.#whileItRuns(container, async () => {
        await sandboxes.connect(container.id, container.places.runDir, { network, settings });
        await names.tell(container, endpoints);
      });
    } finally {
      arrivals.end(container.id);
    }
    return true;
  }

  /** @returns false when it does not run: then nothing changes here */
  async disconnect(container: NetworkedContainer, network: Network): Promise<boolean> {
    if (!container.isRunning) return false;
    const { sandboxes, links, names } = this.#parts;
    const left = container.endpoints.filter(
      (endpoint) => endpoint.network !== network.name && endpoint.network !== network.id,
    );
    await this.#whileItRuns(container, async () => {
      await links.open(container.id, network.id);
      await sandboxes.disconnect(container.id, container.places.runDir, network.id);
      await names.leave(container.id, network.id);
      await names.tell(container, left);
    });
    return true;
  }

  /** As of a container that does not run, where it ends meanwhile: its release gives back what was done. */
  async #whileItRuns({ id }: NetworkedContainer, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!this.#parts.sandboxes.hasEnded(id)) throw error;
    }
  }
}
