/** What a container that starts asks of its networks, with the networks themselves found already. */

import type { EndpointSettings } from "../../spec/engine-api-network.ts";
import type { Network } from "./network.ts";
import type { WishInput } from "./port-table.ts";

export interface EndpointWish {
  readonly network: Network;
  readonly settings: EndpointSettings;
}

export interface SandboxWish {
  readonly containerId: string;
  readonly containerName: string;
  /** The container's run directory. */
  readonly runDir: string;
  /** The first is eth0. */
  readonly endpoints: readonly EndpointWish[];
  readonly ports: Pick<WishInput, "bindings" | "exposed" | "publishAll">;
}
