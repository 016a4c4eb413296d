/** /etc/hosts, hostname and resolv.conf of a container in networks. Written before its start, and rewritten in place when its networks change. */

import { closeSync, constants, openSync, writeFileSync } from "node:fs";
import {
  hostsFile,
  isLoopback,
  parseResolvConf,
  type Resolvers,
  resolvConfFile,
  resolversOf,
} from "../../network/name-files.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import { readText } from "../machine.ts";
import { addressOf, leadingEndpoint, type SandboxRecord } from "./sandbox-record.ts";

export interface NetworkFilesInput {
  readonly body: ContainerCreateBody;
  readonly hostname: string;
  /** The directory of the files. */
  readonly directory: string;
  readonly sandbox: SandboxRecord;
  /** As `resolversOfBody`. */
  readonly resolvers: Resolvers;
  /** Further lines of /etc/hosts (links). */
  readonly others: readonly (readonly [address: string, ...names: string[]])[];
}

/** The content of the files. */
export interface NetworkFiles {
  readonly hosts: string;
  readonly hostname: string;
  readonly "resolv.conf": string;
}

/** The file with the upstream servers of systemd-resolved's stub on loopback. */
const RESOLVED = "/run/systemd/resolve/resolv.conf";

/** The address of the embedded name server in a container's namespace. */
const EMBEDDED_SERVER = "127.0.0.11";

/** Writes in place, because the files are bind-mounted in the container. @param written the current content, which is not written again */
export function writeNetworkFiles(input: NetworkFilesInput, written?: NetworkFiles): NetworkFiles {
  const { body, hostname, directory, sandbox, resolvers } = input;
  const { ExtraHosts } = body.HostConfig;
  const endpoints = sandbox.endpoints.toSorted((one, other) => one.number - other.number);
  const hosts = hostsFile({
    hostname,
    domainname: body.Domainname,
    addresses: endpoints.flatMap((endpoint) =>
      ([4, 6] as const).map((version) => addressOf(endpoint, version)).filter(Boolean),
    ),
    extraHosts: ExtraHosts,
    hostGateways: hostGatewaysOf(sandbox),
    others: input.others,
  });
  const asked: Resolvers =
    sandbox.resolverPort === undefined
      ? { ...resolvers, servers: resolvers.servers.filter((server) => !isLoopback(server)) }
      : { servers: [EMBEDDED_SERVER], search: resolvers.search, options: withDots(resolvers.options) };
  const files = { hosts, hostname: `${hostname}\n`, "resolv.conf": resolvConfFile(asked) };
  for (const [name, text] of Object.entries(files))
    if (written?.[name as keyof NetworkFiles] !== text) writeInPlace(`${directory}/${name}`, text);
  return files;
}

/** The container's monitor keeps leases away (`keep-open`). With a monitor of an older build this may fail with EAGAIN, but never block. */
function writeInPlace(path: string, text: string): void {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NONBLOCK } = constants;
  const fd = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK, 0o644);
  try {
    writeFileSync(fd, text);
  } finally {
    closeSync(fd);
  }
}

/** The name servers that the container would use with the host's network. @throws {OrlopError} bad_value */
export function resolversOfBody({ HostConfig }: Pick<ContainerCreateBody, "HostConfig">): Resolvers {
  const { Dns, DnsSearch, DnsOptions } = HostConfig;
  return resolversOf({ host: hostResolvers(), servers: Dns, search: DnsSearch, options: DnsOptions });
}

/** The checks of `resolversOfBody`, without reading the machine's files. @throws {OrlopError} bad_value */
export function checkResolvers({ HostConfig }: Pick<ContainerCreateBody, "HostConfig">): void {
  const { Dns, DnsSearch, DnsOptions } = HostConfig;
  resolversOf({ host: noResolvers, servers: Dns, search: DnsSearch, options: DnsOptions });
}

const noResolvers: Resolvers = { servers: [], search: [], options: [] };

/** Whether the container can reach none of the servers itself: the embedded server then asks them from the host. */
export function needsEmbeddedServer({ servers }: Resolvers): boolean {
  return servers.length > 0 && servers.every(isLoopback);
}

/** Names without a dot are names of containers. */
function withDots(options: readonly string[]): readonly string[] {
  return options.some((option) => option.startsWith("ndots:")) ? options : [...options, "ndots:0"];
}

/** The host's address as this container reaches it. */
function hostGatewaysOf(sandbox: SandboxRecord): string[] {
  return ([4, 6] as const).flatMap((version) => {
    const mark = version === 4 ? "." : ":";
    return leadingEndpoint(sandbox, version)?.gateways.find((gateway) => gateway.includes(mark)) ?? [];
  });
}

/** The host's name servers; instead of a local stub, the stub's own upstream servers if they are known. */
function hostResolvers(): Resolvers {
  const own = parseResolvConf(readText("/etc/resolv.conf") ?? "");
  if (own.servers.length === 0 || !own.servers.every(isLoopback)) return own;
  const behind = readText(RESOLVED);
  return behind === undefined ? own : { ...own, servers: parseResolvConf(behind).servers };
}
