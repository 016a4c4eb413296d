/** Makes a container's network before the container exists, for starts that are begun ahead (`ready-starts.ts`). */

import { noEndpointSettings } from "../../spec/engine-api-network.ts";
import type { ContainerNames } from "./container-names.ts";
import type { NetworkFiles } from "./network-files.ts";
import { endpointsOf } from "./network-mode.ts";
import type { NetworkStore } from "./network-store.ts";
import type { NetworkedContainer } from "./networked-container.ts";
import { ReadySandboxes } from "./ready-sandboxes.ts";
import type { SandboxRecord } from "./sandbox-record.ts";
import { endpointWishesOf, isPlain } from "./sandbox-wish.ts";
import type { Sandboxes } from "./sandboxes.ts";

/** A sandbox in the default network, and the files that were written for it into the container's folder. */
export interface LentNetwork {
  readonly sandbox: SandboxRecord;
  readonly files: NetworkFiles;
}

export interface LentParts {
  readonly store: NetworkStore;
  readonly sandboxes: Sandboxes;
  readonly names: ContainerNames;
  /** As `EngineParts.background`. */
  background(what: string, work: () => Promise<void>): Promise<void>;
}

export class LentNetworks {
  readonly #parts: LentParts;
  readonly #ready: ReadySandboxes;

  constructor(parts: LentParts) {
    this.#parts = parts;
    const { store, sandboxes } = parts;
    this.#ready = new ReadySandboxes({
      make: async () => sandboxes.makeReady({ network: await store.default(), settings: noEndpointSettings }),
      remove: (record) => sandboxes.removeSandbox(record),
      background: (what, work) => parts.background(what, work),
    });
  }

  /** Takes a ready sandbox in the default network; undefined when there is none. */
  takeReady(): SandboxRecord | undefined {
    return this.#ready.take();
  }

  /**
   * Makes the network of a container that does not exist yet; undefined for a container that is to be in other networks than the default
   * one. The caller passes it to `Networks.attach` or to `takeBack`.
   */
  async lend(coming: Pick<NetworkedContainer, "id" | "body" | "places">): Promise<LentNetwork | undefined> {
    const { store, sandboxes, names } = this.#parts;
    const wishes = await endpointWishesOf(store, endpointsOf(coming.body));
    const [wish] = wishes;
    if (wish === undefined || !isPlain(wishes)) return undefined;
    const sandbox = this.#ready.take() ?? (await sandboxes.makeReady(wish));
    try {
      sandboxes.record(sandbox, coming.places.runDir);
      return { sandbox, files: names.writeFiles(coming, sandbox) };
    } catch (error) {
      await this.takeBack({ sandbox });
      throw error;
    }
  }

  /** Removes a lent network that no container has used. */
  takeBack({ sandbox }: Pick<LentNetwork, "sandbox">): Promise<void> {
    return this.#parts.sandboxes.removeSandbox(sandbox);
  }

  close(): Promise<void> {
    return this.#ready.close();
  }
}
