/** Of networks, addresses and ports. */

import { row } from "./row.ts";

export const networkErrors = {
  no_such_network: row<{ reference: string }>("not_found", (p) => `network ${p.reference} not found`),
  /** Of a container's start. */
  no_network_to_join: row<{ network: string }>(
    "not_found",
    (p) => `network ${p.network} not found`,
    () => "make it first (orlop network create), or see what there is: orlop network ls",
  ),
  no_container_to_link: row<{ container: string }>(
    "invalid",
    (p) => `could not get container for ${p.container}: No such container: ${p.container}`,
  ),
  ambiguous_network: row<{ prefix: string }>(
    "invalid",
    (p) => `network ${p.prefix} is ambiguous: several begin like this`,
  ),
  network_name_in_use: row<{ name: string }>("conflict", (p) => `network with name ${p.name} already exists`),
  network_built_in: row<{ name: string }>("denied", (p) => `${p.name} is a pre-defined network and cannot be removed`),
  network_name_built_in: row<{ name: string }>(
    "denied",
    (p) => `operation is not permitted on predefined ${p.name} network`,
    () => "choose another name",
  ),
  network_in_use: row<{ name: string; members: string }>(
    "denied",
    (p) => `error while removing network: network ${p.name} has active endpoints (${p.members})`,
    () => "disconnect or stop them first",
  ),
  no_such_driver: row<{ driver: string }>(
    "not_found",
    (p) => `could not find plugin ${p.driver} in v1 plugin registry: plugin not found`,
    () => "the drivers are bridge, macvlan and ipvlan",
  ),
  subnet_overlaps: row<{ subnet: string }>(
    "denied",
    (p) => `Pool overlaps with other one on this address space: ${p.subnet}`,
    () => "see: orlop network ls, orlop network inspect",
  ),
  subnet_hides_route: row<{ subnet: string; route: string }>(
    "denied",
    (p) => `Pool overlaps with other one on this address space: ${p.subnet}: this host has a route to ${p.route}`,
    () => "see: ip route; what it leads to could not be reached any more",
  ),
  no_subnet_left: row<{ version: string }>(
    "unavailable",
    (p) =>
      `could not find an available, non-overlapping ${p.version} address pool among the defaults to assign to the network`,
    () => "name one with --subnet",
  ),
  addresses_exhausted: row<{ network: string; version: number }>(
    "unavailable",
    (p) => `no available IPv${p.version} addresses on this network's address pools: ${p.network}`,
    () => "a larger --subnet or --ip-range has more",
  ),
  address_in_use: row<{ address: string; network: string }>(
    "denied",
    (p) => `Address already in use: ${p.address} on network ${p.network}`,
  ),
  address_outside: row<{ address: string; network: string }>(
    "invalid",
    (p) => `invalid address ${p.address}: It does not belong to any of this network's subnets (${p.network})`,
  ),
  address_not_configured: row<{ address: string }>(
    "invalid",
    (p) =>
      `user specified IP address is supported only when connecting to networks with user configured subnets (${p.address})`,
    () => "make the network with --subnet",
  ),
  address_not_allowed: row<{ network: string }>(
    "invalid",
    (p) => `user specified IP address is supported on user defined networks only, not on ${p.network}`,
  ),
  alias_not_allowed: row<{ network: string }>(
    "invalid",
    (p) => `network-scoped aliases are only supported for user-defined networks, not for ${p.network}`,
  ),
  network_mode_excludes: row<{ mode: string; what: string }>(
    "invalid",
    (p) => `conflicting options: ${p.what} and the network mode (${p.mode})`,
  ),
  several_networks: row<{ networks: string }>(
    "invalid",
    (p) => `Container cannot be created with multiple network endpoints: ${p.networks}`,
    () => "connect it to the others afterwards, or speak API 1.44 or later",
  ),
  connect_refused: row<{ name: string; mode: string }>(
    "denied",
    (p) => `container ${p.name} cannot be connected to or disconnected from networks: its network mode is ${p.mode}`,
  ),
  already_connected: row<{ name: string; network: string }>(
    "denied",
    (p) => `endpoint with name ${p.name} already exists in network ${p.network}`,
  ),
  not_connected: row<{ name: string; network: string }>(
    "denied",
    (p) => `container ${p.name} is not connected to the network ${p.network}`,
  ),
  no_such_link: row<{ name: string }>(
    "not_found",
    (p) => `this host has no link ${JSON.stringify(p.name)}`,
    () => "the network's option parent must name a link that ip link shows",
  ),
  no_such_link_kind: row<{ kind: string }>(
    "unsupported",
    (p) => `this kernel has no ${p.kind} links`,
    (p) =>
      `load the module (modprobe ${p.kind}), or use a kernel with CONFIG_${p.kind.toUpperCase()}; or a macvlan network`,
  ),
  link_not_running: row<{ target: string; link: string }>(
    "internal",
    (p) => `Cannot link to a non running container: /${p.target} AS /${p.link}`,
    (p) => `start ${p.target} first`,
  ),
  link_elsewhere: row<{ target: string }>(
    "internal",
    (p) => `Cannot link to /${p.target}, as it does not belong to the default network`,
    () => "put both into a network of their own, where containers have names without links",
  ),
  network_left: row<{ pid: number }>(
    "conflict",
    (p) => `the container's first process (${p.pid}) has left the network namespace that the container was given`,
    () => "its networks can be changed with its next start",
  ),
  link_name_taken: row<{ name: string }>(
    "conflict",
    (p) => `the container has a link ${JSON.stringify(p.name)} already`,
    () => "choose another com.docker.network.endpoint.ifname",
  ),
  link_in_use: row<{ name: string; network: string }>(
    "denied",
    (p) => `the link ${p.name} is already used by ${p.network}`,
  ),
  port_taken: row<{ endpoint: string; id: string; binding: string; holder: string }>(
    "internal",
    (p) =>
      `driver failed programming external connectivity on endpoint ${p.endpoint} (${p.id}): Bind for ${p.binding} failed: port is already allocated (${p.holder})`,
  ),
  port_refused: row<{ endpoint: string; id: string; binding: string; reason: string }>(
    "internal",
    (p) =>
      `driver failed programming external connectivity on endpoint ${p.endpoint} (${p.id}): Bind for ${p.binding} failed: ${p.reason}`,
  ),
  nft_missing: row<object>(
    "unavailable",
    () => "bridge networks need the program nft",
    () => "install it (apt-get install nftables), or use --network none or host",
  ),
  nft_failed: row<{ reason: string }>(
    "unavailable",
    (p) => `nft refused the rules of the bridge networks: ${p.reason}`,
    () => "does this kernel have nf_tables with nat, fib and masquerade?",
  ),
} as const;
