/** What a container that starts needs of its networks, with the networks looked up. */

import { OrlopError } from "../../base/errors.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { EndpointSettings } from "../../spec/engine-api-network.ts";
import { linkLocalsOf } from "./endpoint-options.ts";
import type { Network } from "./network.ts";
import type { AskedEndpoint } from "./network-mode.ts";
import { checkEndpoint } from "./network-settle.ts";
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

/** @throws {OrlopError} no_network_to_join, ambiguous_network; a setting that the network cannot provide (it may be newer than the container) */
export async function endpointWishesOf(
  store: NetworkStore,
  asked: readonly AskedEndpoint[],
): Promise<readonly EndpointWish[]> {
  const wishes: EndpointWish[] = [];
  for (const { network: name, settings } of asked) {
    const network = await joinable(store, name);
    checkEndpoint(network, settings);
    wishes.push({ network, settings });
  }
  return wishes;
}

async function joinable(store: NetworkStore, network: string): Promise<Network> {
  try {
    return await store.get(network);
  } catch (error) {
    if (error instanceof OrlopError && error.code === "no_such_network")
      throw OrlopError.of("no_network_to_join", { network }, error);
    throw error;
  }
}

export function portWishOf({ HostConfig }: ContainerCreateBody, exposed: readonly string[]): SandboxWish["ports"] {
  return { bindings: HostConfig.PortBindings, exposed, publishAll: HostConfig.PublishAllPorts };
}

/** Whether the container is in the default network only, without settings of its own: a sandbox of the pool will do. */
export function isPlain([first, ...more]: readonly EndpointWish[]): boolean {
  if (first === undefined || more.length > 0 || !first.network.isDefault) return false;
  const { MacAddress, Aliases, DriverOpts, IPAMConfig } = first.settings;
  const asksMore = Object.keys(DriverOpts).length > 0 || linkLocalsOf(IPAMConfig).length > 0;
  return MacAddress === "" && Aliases.length === 0 && !asksMore;
}
