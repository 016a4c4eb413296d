/** What the Engine API says about networks: create, connect, disconnect, and a container's place in one. */

import { parseAddress, parseSubnet } from "../base/ip-address.ts";
import {
  field,
  list,
  oneOf,
  type Read,
  refused,
  shape,
  table,
  text,
  texts,
  truth,
  whole,
  wrong,
} from "./engine-api-read.ts";

/** An address of one version; "" for none. */
function address(version?: 4 | 6): Read<string> {
  return (value, path) => {
    const given = text(value, path);
    const parsed = parseAddress(given);
    if (given !== "" && (parsed === undefined || (version !== undefined && parsed.version !== version)))
      throw wrong(path, given, version === undefined ? "an IP address" : `an IPv${version} address`);
    return given;
  };
}

const subnet: Read<string> = (value, path) => {
  const given = text(value, path);
  if (given !== "" && parseSubnet(given) === undefined) throw wrong(path, given, "a subnet such as 10.1.0.0/16");
  return given;
};

/** What is said back about an endpoint, and what clients may send back to us: the engine finds it out itself. */
const found: Read<undefined> = () => undefined;

export const endpointSettings = shape({
  IPAMConfig: field(
    shape({
      IPv4Address: field(address(4), ""),
      IPv6Address: field(address(6), ""),
      /** undefined in records of engines that had none. */
      LinkLocalIPs: field(texts, undefined as readonly string[] | undefined),
    }),
    { IPv4Address: "", IPv6Address: "", LinkLocalIPs: undefined },
  ),
  Links: field(texts, []),
  Aliases: field(texts, []),
  MacAddress: field(text, ""),
  DriverOpts: field(table(text), {}),
  GwPriority: field(whole(-2_147_483_648, 2_147_483_647), 0),
  NetworkID: field(found, undefined),
  EndpointID: field(found, undefined),
  Gateway: field(found, undefined),
  IPAddress: field(found, undefined),
  IPPrefixLen: field(found, undefined),
  IPv6Gateway: field(found, undefined),
  GlobalIPv6Address: field(found, undefined),
  GlobalIPv6PrefixLen: field(found, undefined),
  DNSNames: field(found, undefined),
});

export type EndpointSettings = ReturnType<typeof endpointSettings>;

export const noEndpointSettings: EndpointSettings = endpointSettings({}, "");

const pool = shape({
  Subnet: field(subnet, ""),
  IPRange: field(subnet, ""),
  Gateway: field(address(), ""),
  AuxiliaryAddresses: field(table(address()), {}),
  /** What docker-compose 1.29 and the API before 1.44 called it. */
  AuxAddress: field(table(address()), {}),
});

export type PoolRequest = ReturnType<typeof pool>;

const networkCreate = shape({
  Name: field(text, ""),
  /** Clients before API 1.44 ask for it; here it is always so. */
  CheckDuplicate: field(truth, true),
  Driver: field(text, "bridge"),
  Scope: field(oneOf("", "local"), ""),
  Internal: field(truth, false),
  Attachable: field(truth, false),
  Ingress: refused,
  ConfigOnly: refused,
  ConfigFrom: field(shape({ Network: refused }), { Network: undefined }),
  IPAM: field(
    shape({
      Driver: field(oneOf("", "default"), ""),
      Config: field(list(pool), [] as readonly PoolRequest[]),
      Options: field(table(text), {}),
    }),
    { Driver: "" as const, Config: [] as readonly PoolRequest[], Options: {} },
  ),
  EnableIPv4: field(truth, true),
  /** Absent: where the host has IPv6. */
  EnableIPv6: field(truth, undefined as boolean | undefined),
  Options: field(table(text), {}),
  Labels: field(table(text), {}),
});

export type NetworkCreateBody = ReturnType<typeof networkCreate>;

/** @throws {OrlopError} bad_value, unknown_field: both name the field */
export function parseNetworkCreate(value: unknown): NetworkCreateBody {
  return networkCreate(value, "");
}

const networkConnect = shape({
  Container: field(text, ""),
  EndpointConfig: field(endpointSettings, noEndpointSettings),
});

export function parseNetworkConnect(value: unknown): ReturnType<typeof networkConnect> {
  return networkConnect(value, "");
}

const networkDisconnect = shape({ Container: field(text, ""), Force: field(truth, false) });

export function parseNetworkDisconnect(value: unknown): ReturnType<typeof networkDisconnect> {
  return networkDisconnect(value, "");
}

// ── ports ────────────────────────────────────────────────────────────────────────────────────────────────────────────

export type PortProtocol = "tcp" | "udp" | "sctp";

export interface ContainerPort {
  readonly port: number;
  readonly protocol: PortProtocol;
}

/** "80/tcp", "53/udp", "80". undefined for what is none. */
export function parseContainerPort(written: string): ContainerPort | undefined {
  const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(written);
  const port = Number(match?.[1]);
  if (match === null || port < 1 || port > 65_535) return undefined;
  return { port, protocol: (match[2] ?? "tcp").toLowerCase() as PortProtocol };
}

/** "", "8080" or "8000-8010"; undefined for what is none. "" and 0 mean: one that is free. */
export function parseHostPorts(written: string): { readonly first: number; readonly last: number } | undefined {
  if (written === "") return { first: 0, last: 0 };
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(written);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return last > 65_535 || last < first ? undefined : { first, last };
}

const hostPort: Read<string> = (value, path) => {
  const written = text(value, path);
  if (parseHostPorts(written) === undefined) throw wrong(path, written, "a port from 0 to 65535, or a range of them");
  return written;
};

const hostAddress: Read<string> = (value, path) => {
  const written = text(value, path).replace(/^\[(.*)\]$/, "$1");
  return address()(written, path);
};

const binding = shape({ HostIp: field(hostAddress, ""), HostPort: field(hostPort, "") });
export type PortBinding = ReturnType<typeof binding>;

const checkedPort = (written: string, path: string): void => {
  if (parseContainerPort(written) === undefined) throw wrong(path, written, "PORT/PROTOCOL, e.g. 80/tcp or 53/udp");
};

/** Container's port → where on the host; an empty list means "a free one". */
export const portBindings: Read<Readonly<Record<string, readonly PortBinding[]>>> = (value, path) => {
  const bindings = table((entry, place) => (entry === null ? [] : list(binding)(entry, place)))(value, path);
  for (const key of Object.keys(bindings)) checkedPort(key, path);
  return bindings;
};

export const exposedPorts: Read<Readonly<Record<string, Record<string, never>>>> = (value, path) => {
  const ports = table((entry, place) => {
    if (entry !== null && Object.keys(entry as object).length > 0) throw wrong(place, entry, "an empty object");
    return {};
  })(value, path);
  for (const key of Object.keys(ports)) checkedPort(key, path);
  return ports;
};
