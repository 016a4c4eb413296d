/** Removes networks that no container uses. */

import { OrlopError } from "../../base/errors.ts";
import type { Events } from "../events/events.ts";
import type { Network } from "./network.ts";
import { isBuiltIn } from "./network-record.ts";
import type { Networks } from "./networks.ts";

export interface PruneParts {
  readonly networks: Pick<Networks, "all" | "remove">;
  readonly events: Events;
}

/** @returns the names of the networks that were removed */
export async function pruneNetworks(
  { networks, events }: PruneParts,
  isMeant: (network: Network) => boolean,
): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const network of await networks.all()) {
    if (isBuiltIn(network.name) || network.members.size > 0 || !isMeant(network)) continue;
    try {
      await networks.remove(network);
      removed.push(network.name);
    } catch (error) {
      // A container has joined it meanwhile, or somebody else has removed it.
      if (!(error instanceof OrlopError) || !["network_in_use", "no_such_network"].includes(error.code)) throw error;
    }
  }
  events.publish({ type: "network", action: "prune", id: "", attributes: { reclaimed: "0" } });
  return removed;
}
