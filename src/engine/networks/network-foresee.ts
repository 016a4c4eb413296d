/** What a start would do for a container's networks: for `explain`. */

import type { Step } from "../../kernel/step.ts";
import type { HostNetwork } from "./host-network.ts";
import { endpointsOf } from "./network-mode.ts";
import type { NetworkStore } from "./network-store.ts";
import type { NetworkedContainer } from "./networked-container.ts";
import type { ForeseenPassages } from "./other-firewalls.ts";
import { endpointWishesOf, portWishOf } from "./sandbox-wish.ts";
import type { Sandboxes } from "./sandboxes.ts";

export interface ForeseenNetworks {
  readonly steps: readonly Step[];
  /** Rules that would be added to the host's other firewalls. */
  readonly passages: ForeseenPassages;
}

export interface ForeseeParts {
  readonly store: NetworkStore;
  readonly host: HostNetwork;
  readonly sandboxes: Sandboxes;
}

/** Makes nothing and reserves nothing. @throws {OrlopError} */
export async function foreseeNetworks(
  { store, host, sandboxes }: ForeseeParts,
  { body, exposedPorts }: Pick<NetworkedContainer, "body" | "exposedPorts">,
): Promise<ForeseenNetworks> {
  const asked = endpointsOf(body);
  if (asked.length === 0) return { steps: [], passages: { rules: [], reports: [] } };
  const endpoints = await endpointWishesOf(store, asked);
  const bridged = endpoints.map(({ network }) => network).filter(({ record }) => record.driver === "bridge");
  const ports = portWishOf(body, exposedPorts);
  const wish = { containerId: "", containerName: "explained", runDir: "", endpoints, ports };
  return {
    steps: [...bridged.flatMap((network) => host.planMissingBridge(network)), ...sandboxes.foresee(wish)],
    passages: await host.foresee(bridged),
  };
}
