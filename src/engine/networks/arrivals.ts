/** Containers on their way into networks: what is being made for one there must not lose its network meanwhile. */

import { OrlopError } from "../../base/errors.ts";
import type { Network } from "./network.ts";

export class Arrivals {
  readonly #isThere: (network: Network) => boolean;
  /** By the container. */
  readonly #coming = new Map<string, ReadonlySet<Network>>();

  /** @param isThere false: it was removed */
  constructor(isThere: (network: Network) => boolean) {
    this.#isThere = isThere;
  }

  /** Until `end` they stay. @throws {OrlopError} no_such_network: one of them was removed since somebody looked */
  begin(containerId: string, networks: readonly Network[]): void {
    const gone = networks.find((network) => !this.#isThere(network));
    if (gone !== undefined) throw OrlopError.of("no_such_network", { reference: gone.name });
    this.#coming.set(containerId, new Set(networks));
  }

  /** It has arrived, or does not come. */
  end(containerId: string): void {
    this.#coming.delete(containerId);
  }

  /** Containers that are on their way into this network. */
  of(network: Network): string[] {
    return [...this.#coming].flatMap(([containerId, networks]) => (networks.has(network) ? containerId : []));
  }
}
