/** Containers that are being attached to networks: such a network must not be removed meanwhile. */

import { OrlopError } from "../../base/errors.ts";
import type { Network } from "./network.ts";

export class Arrivals {
  readonly #isThere: (network: Network) => boolean;
  /** By container id. */
  readonly #coming = new Map<string, ReadonlySet<Network>>();

  /** @param isThere returns false for a network that was removed */
  constructor(isThere: (network: Network) => boolean) {
    this.#isThere = isThere;
  }

  /** Keeps the networks until `end`. @throws {OrlopError} no_such_network: one was removed after the caller had found it */
  begin(containerId: string, networks: readonly Network[]): void {
    const gone = networks.find((network) => !this.#isThere(network));
    if (gone !== undefined) throw OrlopError.of("no_such_network", { reference: gone.name });
    this.#coming.set(containerId, new Set(networks));
  }

  /** The container is attached, or attaching it failed. */
  end(containerId: string): void {
    this.#coming.delete(containerId);
  }

  /** Ids of the containers that are being attached to this network. */
  of(network: Network): string[] {
    return [...this.#coming].flatMap(([containerId, networks]) => (networks.has(network) ? containerId : []));
  }
}
