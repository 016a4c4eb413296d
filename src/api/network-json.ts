/** Networks, and containers in them, in the Engine API's spelling. */

import type { Container } from "../engine/containers/container.ts";
import type { Engine } from "../engine/engine.ts";
import { formatTimeNs } from "../engine/logs/log-format.ts";
import type { Network } from "../engine/networks/network.ts";
import { networkModeOf } from "../engine/networks/network-mode.ts";
import {
  addressOf,
  type EndpointRecord,
  leadingEndpoint,
  type PublishedPort,
} from "../engine/networks/sandbox-record.ts";
import { parseContainerPort } from "../spec/engine-api-network.ts";
import { has } from "./versions.ts";

/** As `network ls` shows it: without its containers. */
export function networkSummary(network: Network): Record<string, unknown> {
  const { record } = network;
  return {
    Name: record.name,
    Id: record.id,
    Created: record.createdNs === "0" ? "0001-01-01T00:00:00Z" : formatTimeNs(BigInt(record.createdNs)),
    Scope: "local",
    Driver: record.driver,
    EnableIPv4: network.has(4),
    EnableIPv6: network.has(6),
    IPAM: {
      Driver: "default",
      Options: record.ipamOptions,
      Config: record.subnets.map(({ subnet, range, gateway, auxiliary }) => ({
        Subnet: subnet,
        ...(range === "" ? {} : { IPRange: range }),
        ...(gateway === "" ? {} : { Gateway: gateway }),
        ...(Object.keys(auxiliary).length === 0 ? {} : { AuxiliaryAddresses: auxiliary }),
      })),
    },
    Internal: record.internal,
    Attachable: record.attachable,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: {},
    Options: record.options,
    Labels: record.labels,
  };
}

export async function networkInspection(network: Network, engine: Engine): Promise<unknown> {
  const members = [...network.members].flatMap((id) => {
    const endpoint = engine.networks.sandboxOf(id)?.endpoints.find(({ networkId }) => networkId === network.id);
    if (endpoint === undefined) return [];
    const name = engine.containers.all().find((container) => container.id === id)?.name ?? "";
    const written = (mark: string): string => endpoint.addresses.find((address) => address.includes(mark)) ?? "";
    const shown = {
      Name: name,
      EndpointID: endpoint.id,
      MacAddress: endpoint.mac,
      IPv4Address: written("."),
      IPv6Address: written(":"),
    };
    return [[id, shown] as const];
  });
  const reports = network.record.driver === "bridge" ? await engine.networks.reports() : [];
  return {
    ...networkSummary(network),
    Containers: Object.fromEntries(members),
    // Docker's clients leave out what they do not know.
    ...(reports.length > 0 ? { OtherFirewalls: reports } : {}),
  };
}

/** `NetworkSettings` of a container's inspection. */
export async function networkSettings(
  container: Container,
  engine: Engine,
  apiMinor: number,
): Promise<Record<string, unknown>> {
  const sandbox = engine.networks.sandboxOf(container.id);
  const shown = await shownEndpoints(container, engine, has(apiMinor, "shortAlias") ? [] : [container.id.slice(0, 12)]);
  const first = sandbox === undefined ? undefined : (leadingEndpoint(sandbox, 4) ?? sandbox.endpoints[0]);
  const top = first === undefined ? noEndpoint : endpointValues(first);
  return {
    Bridge: "",
    SandboxID: sandbox?.id ?? "",
    SandboxKey:
      engine.networks.pathOf(container) || (container.run.pid === 0 ? "" : `/proc/${container.run.pid}/ns/net`),
    // As with Docker: of a container that is in a network now.
    Ports: sandbox === undefined ? {} : portsOf(container, sandbox.ports),
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: first?.id ?? "",
    Gateway: top.Gateway,
    GlobalIPv6Address: top.GlobalIPv6Address,
    GlobalIPv6PrefixLen: top.GlobalIPv6PrefixLen,
    IPAddress: top.IPAddress,
    IPPrefixLen: top.IPPrefixLen,
    IPv6Gateway: top.IPv6Gateway,
    MacAddress: first?.mac ?? "",
    Networks: Object.fromEntries(shown),
  };
}

/** For `ps`: the networks alone. */
export async function summaryNetworks(container: Container, engine: Engine): Promise<Record<string, unknown>> {
  return { Networks: Object.fromEntries(await shownEndpoints(container, engine)) };
}

/** @param more aliases in networks that have names */
async function shownEndpoints(
  container: Container,
  engine: Engine,
  more: readonly string[] = [],
): Promise<(readonly [string, unknown])[]> {
  const mode = networkModeOf(container.body);
  if (mode.kind === "none" || mode.kind === "host") {
    const network = await engine.networks.get(mode.kind).catch(() => undefined);
    return [[mode.kind, { ...noEndpoint, NetworkID: network?.id ?? "" }]];
  }
  const sandbox = engine.networks.sandboxOf(container.id);
  return Promise.all(
    container.endpoints.map(async ({ network: name, settings }) => {
      const network = await engine.networks.get(name).catch(() => undefined);
      const shownName = network?.name ?? name;
      const endpoint = sandbox?.endpoints.find(({ networkId }) => networkId === network?.id);
      const asked = settings.IPAMConfig;
      const ipam = {
        ...(asked.IPv4Address === "" ? {} : { IPv4Address: asked.IPv4Address }),
        ...(asked.IPv6Address === "" ? {} : { IPv6Address: asked.IPv6Address }),
        ...((asked.LinkLocalIPs ?? []).length === 0 ? {} : { LinkLocalIPs: asked.LinkLocalIPs }),
      };
      const names = network === undefined || network.isDefault ? null : namesIn(container, settings.Aliases);
      const aliases = names === null ? settings.Aliases : [...new Set([...settings.Aliases, ...more])];
      const shown = {
        ...noEndpoint,
        ...(endpoint === undefined ? { MacAddress: settings.MacAddress } : endpointValues(endpoint)),
        IPAMConfig: Object.keys(ipam).length === 0 ? null : ipam,
        Links: settings.Links.length === 0 ? null : settings.Links,
        DriverOpts: Object.keys(settings.DriverOpts).length === 0 ? null : settings.DriverOpts,
        Aliases: aliases.length === 0 ? null : aliases,
        NetworkID: network?.id ?? "",
        GwPriority: settings.GwPriority,
        DNSNames: names,
      };
      return [shownName, shown] as const;
    }),
  );
}

function namesIn(container: Container, aliases: readonly string[]): string[] {
  const hostname = container.body.Hostname;
  return [...new Set([container.name, ...aliases, container.id.slice(0, 12), ...(hostname === "" ? [] : [hostname])])];
}

const noEndpoint = {
  IPAMConfig: null as unknown,
  Links: null as unknown,
  Aliases: null as unknown,
  MacAddress: "",
  DriverOpts: null as unknown,
  GwPriority: 0,
  NetworkID: "",
  EndpointID: "",
  Gateway: "",
  IPAddress: "",
  IPPrefixLen: 0,
  IPv6Gateway: "",
  GlobalIPv6Address: "",
  GlobalIPv6PrefixLen: 0,
  DNSNames: null as unknown,
};

function endpointValues(endpoint: EndpointRecord) {
  const gateway = (mark: string): string => endpoint.gateways.find((one) => one.includes(mark)) ?? "";
  const prefix = (mark: string): number =>
    Number(endpoint.addresses.find((one) => one.includes(mark))?.split("/")[1] ?? 0);
  return {
    MacAddress: endpoint.mac,
    EndpointID: endpoint.id,
    Gateway: gateway("."),
    IPAddress: addressOf(endpoint, 4),
    IPPrefixLen: prefix("."),
    IPv6Gateway: gateway(":"),
    GlobalIPv6Address: addressOf(endpoint, 6),
    GlobalIPv6PrefixLen: prefix(":"),
  };
}

/** Every port that is exposed, and where those are published that are. */
function portsOf(container: Container, published: readonly PublishedPort[]): Record<string, unknown> {
  const keys = new Set([...container.exposedPorts, ...published.map(keyOf)]);
  return Object.fromEntries(
    [...keys].sort().map((key) => {
      const places = published.filter((port) => keyOf(port) === key);
      const shown = places.map(({ hostAddress, hostPort }) => ({ HostIp: hostAddress, HostPort: String(hostPort) }));
      return [key, shown.length === 0 ? null : shown];
    }),
  );
}

function keyOf({ containerPort, protocol }: PublishedPort): string {
  return `${containerPort}/${protocol}`;
}

export interface SummaryPort {
  readonly IP?: string;
  readonly PrivatePort: number;
  readonly PublicPort?: number;
  readonly Type: string;
}

/** For `ps`: of a container that runs in a network. */
export function summaryPorts(container: Container, engine: Engine): readonly SummaryPort[] {
  const sandbox = container.isRunning ? engine.networks.sandboxOf(container.id) : undefined;
  if (sandbox === undefined) return [];
  const published = sandbox.ports;
  const shown = published.map(({ protocol, containerPort, hostAddress, hostPort }) => ({
    IP: hostAddress,
    PrivatePort: containerPort,
    PublicPort: hostPort,
    Type: protocol,
  }));
  const known = new Set(published.map(keyOf));
  const exposed = container.exposedPorts.flatMap((key) => {
    const port = known.has(key) ? undefined : parseContainerPort(key);
    return port === undefined ? [] : [{ PrivatePort: port.port, Type: port.protocol }];
  });
  return [...exposed, ...shown];
}
