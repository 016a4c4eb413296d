/** What a container that starts asks of its networks, which are found already. */

import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { EndpointSettings } from "../../spec/engine-api-network.ts";
import { linkLocalsOf } from "./endpoint-options.ts";
import type { Network } from "./network.ts";
import type { AskedEndpoint } from "./network-mode.ts";
import type { NetworkStore } from "./network-store.ts";
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

/** @throws {OrlopError} no_such_network, ambiguous_network */
export async function endpointWishesOf(
  store: NetworkStore,
  asked: readonly AskedEndpoint[],
): Promise<readonly EndpointWish[]> {
  const wishes: EndpointWish[] = [];
  for (const { network, settings } of asked) wishes.push({ network: await store.get(network), settings });
  return wishes;
}

export function portWishOf({ HostConfig }: ContainerCreateBody, exposed: readonly string[]): SandboxWish["ports"] {
  return { bindings: HostConfig.PortBindings, exposed, publishAll: HostConfig.PublishAllPorts };
}

/** In the default network alone, with nothing that is asked of it there. */
export function isPlain([first, ...more]: readonly EndpointWish[]): boolean {
  if (first === undefined || more.length > 0 || !first.network.isDefault) return false;
  const { MacAddress, Aliases, DriverOpts, IPAMConfig } = first.settings;
  const asksMore = Object.keys(DriverOpts).length > 0 || linkLocalsOf(IPAMConfig).length > 0;
  return MacAddress === "" && Aliases.length === 0 && !asksMore;
}
