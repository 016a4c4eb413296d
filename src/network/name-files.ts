/** A container's /etc/hosts and /etc/resolv.conf. Pure: the host's own file comes in as text. */

import { OrlopError } from "../base/errors.ts";
import { parseAddress } from "../base/ip-address.ts";

export interface HostsInput {
  readonly hostname: string;
  readonly domainname: string;
  /** The addresses of the container's own name. */
  readonly addresses: readonly string[];
  /** `--add-host`: "NAME:ADDRESS", where the address may be "host-gateway". */
  readonly extraHosts: readonly string[];
  /** The host's addresses as the container reaches it; empty when it cannot. */
  readonly hostGateways: readonly string[];
  /** Other containers with fixed names (links). */
  readonly others: readonly (readonly [address: string, ...names: string[]])[];
}

const HOST_NAME = "host.docker.internal";
/** The word that stands for the host's address in an extra host. */
export const HOST_GATEWAY = "host-gateway";

const ALWAYS = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
`;

/** @throws {OrlopError} bad_value for an entry that would make two lines, or whose address is invalid */
export function hostsFile(input: HostsInput): string {
  const { hostname, domainname, addresses, hostGateways, others } = input;
  const extra = input.extraHosts.map(parseExtraHost).flatMap(([name, address]) => {
    if (address !== HOST_GATEWAY) return [[address, name]];
    return hostGateways.map((gateway) => [gateway, name]);
  });
  const isNamed = input.extraHosts.some((text) => parseExtraHost(text)[0] === HOST_NAME);
  const names = domainname === "" ? [hostname] : [`${hostname}.${domainname}`, hostname];
  const lines: (readonly string[])[] = [
    ...(isNamed ? [] : hostGateways.map((gateway) => [gateway, HOST_NAME])),
    ...extra,
    ...others,
    ...addresses.map((address) => [address, ...names]),
  ];
  for (const word of lines.flat()) checkWord(word);
  return ALWAYS + lines.map(([address, ...rest]) => `${address}\t${rest.join(" ")}\n`).join("");
}

/** "NAME:ADDRESS", "NAME=ADDRESS"; an IPv6 address has colons itself. @throws {OrlopError} bad_value */
export function parseExtraHost(text: string): readonly [name: string, address: string] {
  const match = /^([^:=\s]+)[:=](\S+)$/.exec(text);
  const [, name = "", written = ""] = match ?? [];
  const address = written.replace(/^\[(.*)\]$/, "$1");
  if (name !== "" && (address === HOST_GATEWAY || parseAddress(address) !== undefined)) return [name, address];
  throw OrlopError.of("bad_value", { what: "HostConfig.ExtraHosts", value: text, expected: "NAME:ADDRESS" });
}

/** Refuses control characters and blanks, which would begin another line or field. */
function checkWord(word: string): void {
  if (/^[\x21-\x7e]+$/.test(word) && !word.startsWith("#")) return;
  throw OrlopError.of("bad_value", {
    what: "name or address",
    value: word,
    expected: "one word without control characters",
  });
}

export interface Resolvers {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** The entries of a resolv.conf that matter to a container. */
export function parseResolvConf(text: string): Resolvers {
  const lines = text.split("\n").map((line) => line.trim().split(/\s+/));
  const of = (...keys: string[]): string[][] =>
    lines.filter(([key = ""]) => keys.includes(key)).map(([, ...rest]) => rest);
  return {
    servers: of("nameserver").flatMap(([server]) => server ?? []),
    search: of("search", "domain").at(-1) ?? [],
    options: of("options").flat(),
  };
}

export interface ResolvConfInput {
  readonly host: Resolvers;
  /** `--dns`, `--dns-search`, `--dns-option`: each replaces the host's. */
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** The name servers, as seen from the host. @throws {OrlopError} bad_value */
export function resolversOf({ host, servers, search, options }: ResolvConfInput): Resolvers {
  for (const server of servers)
    if (parseAddress(server) === undefined)
      throw OrlopError.of("bad_value", { what: "HostConfig.Dns", value: server, expected: "an IP address" });
  for (const word of [...search, ...options]) checkWord(word);
  return {
    servers: servers.length > 0 ? servers : host.servers,
    // a single "." removes the host's
    search: search.length > 0 ? search.filter((domain) => domain !== ".") : host.search,
    options: options.length > 0 ? options : host.options,
  };
}

export function isLoopback(server: string): boolean {
  const address = parseAddress(server.split("%")[0] ?? "");
  if (address === undefined) return false;
  return address.version === 4 ? address.value >> 24n === 127n : address.value === 1n;
}

export function resolvConfFile({ servers, search, options }: Resolvers): string {
  return [
    ...servers.map((server) => `nameserver ${server}\n`),
    ...(search.length === 0 ? [] : [`search ${search.join(" ")}\n`]),
    ...(options.length === 0 ? [] : [`options ${options.join(" ")}\n`]),
  ].join("");
}
