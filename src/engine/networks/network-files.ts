/** The files of a container in a network: made before its start, made anew in place when its networks change while it runs. */

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
  /** Where the files are. */
  readonly directory: string;
  readonly sandbox: SandboxRecord;
  /** As `resolversOfBody`. */
  readonly resolvers: Resolvers;
  /** Other containers by fixed names. */
  readonly others: readonly (readonly [address: string, ...names: string[]])[];
}

/** What is in them. */
export interface NetworkFiles {
  readonly hosts: string;
  readonly hostname: string;
  readonly "resolv.conf": string;
}

/** systemd-resolved's upstream servers: what its stub on loopback asks. */
const RESOLVED = "/run/systemd/resolve/resolv.conf";

/** The engine's embedded server inside a container's namespace. */
const EMBEDDED_SERVER = "127.0.0.11";

/** Written in place: the container has them as mounts. @param written what is there: the same is not written again */
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

/** Its monitor keeps leases away (`keep-open`); one of an older build does not, and then this is an error (EAGAIN), and no wait. */
function writeInPlace(path: string, text: string): void {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NONBLOCK } = constants;
  const fd = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK, 0o644);
  try {
    writeFileSync(fd, text);
  } finally {
    closeSync(fd);
  }
}

/** Whom the container's names are asked of, were it on the host. @throws {OrlopError} bad_value */
export function resolversOfBody({ HostConfig }: Pick<ContainerCreateBody, "HostConfig">): Resolvers {
  const { Dns, DnsSearch, DnsOptions } = HostConfig;
  return resolversOf({ host: hostResolvers(), servers: Dns, search: DnsSearch, options: DnsOptions });
}

/** What `resolversOfBody` finds wrong, without a look at the machine. @throws {OrlopError} bad_value */
export function checkResolvers({ HostConfig }: Pick<ContainerCreateBody, "HostConfig">): void {
  const { Dns, DnsSearch, DnsOptions } = HostConfig;
  resolversOf({ host: noResolvers, servers: Dns, search: DnsSearch, options: DnsOptions });
}

const noResolvers: Resolvers = { servers: [], search: [], options: [] };

/** Whether it can ask none of them itself: then the embedded server does, on the host. */
export function needsEmbeddedServer({ servers }: Resolvers): boolean {
  return servers.length > 0 && servers.every(isLoopback);
}

/** Names without a dot are containers'. */
function withDots(options: readonly string[]): readonly string[] {
  return options.some((option) => option.startsWith("ndots:")) ? options : [...options, "ndots:0"];
}

/** The host as this container reaches it. */
function hostGatewaysOf(sandbox: SandboxRecord): string[] {
  return ([4, 6] as const).flatMap((version) => {
    const mark = version === 4 ? "." : ":";
    return leadingEndpoint(sandbox, version)?.gateways.find((gateway) => gateway.includes(mark)) ?? [];
  });
}

/** The servers that the host asks, but for a local stub whose own servers are known. */
function hostResolvers(): Resolvers {
  const own = parseResolvConf(readText("/etc/resolv.conf") ?? "");
  if (own.servers.length === 0 || !own.servers.every(isLoopback)) return own;
  const behind = readText(RESOLVED);
  return behind === undefined ? own : { ...own, servers: parseResolvConf(behind).servers };
}
