/**
 * Checks of a container's networks at its creation. A network that does not exist yet is no error: it is needed at the start only.
 */

import { OrlopError } from "../../base/errors.ts";
import { findNft } from "../../kernel/nft.ts";
import { parseMac } from "../../network/mac-address.ts";
import { parseExtraHost } from "../../network/name-files.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { EndpointSettings } from "../../spec/engine-api-network.ts";
import { endpointOptionsOf, linkLocalsOf, nameLinks } from "./endpoint-options.ts";
import type { Network } from "./network.ts";
import { checkResolvers } from "./network-files.ts";
import { checkMode, endpointsOf, networkModeOf } from "./network-mode.ts";

export interface Settled {
  readonly body: ContainerCreateBody;
  readonly warnings: readonly string[];
}

export interface SettleParts {
  /** @throws {OrlopError} no_such_network, ambiguous_network */
  network(reference: string): Promise<Network>;
  /** @throws {OrlopError} no_such_container */
  container(reference: string): unknown;
}

/**
 * Checks what can be checked before the start, and chooses the network if the request names none.
 *
 * @throws {OrlopError}
 */
export async function settleContainer(asked: ContainerCreateBody, parts: SettleParts): Promise<Settled> {
  const { body, warnings } = withDefaultNetwork(asked);
  checkMode(body);
  const endpoints = endpointsOf(body);
  for (const { network: name, settings } of endpoints) {
    const network = await findNetwork(name, parts);
    if (network !== undefined) checkEndpoint(network, settings); // else it is looked up and checked at the start
  }
  nameLinks(endpoints.map(({ settings }) => endpointOptionsOf(settings).linkName));
  for (const text of body.HostConfig.Links) checkLink(text.split(":")[0] ?? "", parts);
  checkResolvers(body);
  for (const text of body.HostConfig.ExtraHosts) parseExtraHost(text);
  return { body, warnings: [...warnings, ...modeWarnings(body)] };
}

/** undefined for a network that does not exist yet. @throws {OrlopError} ambiguous_network */
async function findNetwork(name: string, parts: SettleParts): Promise<Network | undefined> {
  try {
    return await parts.network(name);
  } catch (error) {
    if (error instanceof OrlopError && error.code === "no_such_network") return undefined;
    throw error;
  }
}

function checkLink(container: string, parts: SettleParts): void {
  try {
    parts.container(container);
  } catch (error) {
    if (error instanceof OrlopError && error.code === "no_such_container")
      throw OrlopError.of("no_container_to_link", { container }, error);
    throw error;
  }
}

/** Docker's warnings. */
function modeWarnings(body: ContainerCreateBody): string[] {
  const { PortBindings, PublishAllPorts } = body.HostConfig;
  const publishes = PublishAllPorts || Object.keys(PortBindings).length > 0;
  if (networkModeOf(body).kind !== "host" || !publishes) return [];
  return ["Published ports are discarded when using host network mode"];
}

/**
 * Without nft there can be no bridge network: a container that names no network gets none, with a warning. With published ports or an
 * explicit network it is left as it is, and its start fails with an error that names nft.
 */
function withDefaultNetwork(body: ContainerCreateBody): Settled {
  const { NetworkMode, PortBindings, PublishAllPorts } = body.HostConfig;
  const isAsked =
    (NetworkMode !== "" && NetworkMode !== "default") || PublishAllPorts || Object.keys(PortBindings).length > 0;
  if (isAsked || findNft() !== undefined) return { body, warnings: [] };
  return {
    body: { ...body, HostConfig: { ...body.HostConfig, NetworkMode: "none" } },
    warnings: [
      "bridge networks need the program nft (apt-get install nftables): the container has a loopback interface alone",
    ],
  };
}

/** @throws {OrlopError} the settings have something that the network cannot provide */
export function checkEndpoint(network: Network, settings: EndpointSettings): void {
  const { IPAMConfig, Aliases, MacAddress } = settings;
  if (network.record.driver === "host" || network.record.driver === "null")
    throw OrlopError.of("network_mode_excludes", { mode: network.name, what: "another network" });
  if (network.isDefault && (IPAMConfig.IPv4Address !== "" || IPAMConfig.IPv6Address !== ""))
    throw OrlopError.of("address_not_allowed", { network: network.name });
  if (network.isDefault && Aliases.length > 0) throw OrlopError.of("alias_not_allowed", { network: network.name });
  if (MacAddress !== "" && parseMac(MacAddress) === undefined)
    throw OrlopError.of("bad_value", { what: "MacAddress", value: MacAddress, expected: "e.g. 02:42:0a:00:00:02" });
  if (MacAddress !== "" && network.record.driver === "ipvlan")
    throw OrlopError.of("bad_value", {
      what: "MacAddress",
      value: MacAddress,
      expected: "none: ipvlan has its parent's",
    });
  if (settings.Links.length > 0 && network.isClosed && !network.has(4))
    throw OrlopError.of("unknown_field", {
      field: `a link in ${network.name}, which has no IPv4 and whose containers may not talk to each other,`,
    });
  linkLocalsOf(IPAMConfig);
  endpointOptionsOf(settings);
}
