/** The files of a container in a network: made before its start, made anew in place when its networks change while it runs. */

import { writeFileSync } from "node:fs";
import {
  hostsFile,
  isLoopback,
  parseResolvConf,
  type Resolvers,
  resolvConfFile,
  resolversOf,
} from "../network/name-files.ts";
import type { ContainerCreateBody } from "../spec/engine-api-container.ts";
import { readText } from "./machine.ts";
import { addressOf, leadingEndpoint, type SandboxRecord } from "./sandbox-record.ts";

export interface NetworkFilesInput {
  readonly body: ContainerCreateBody;
  readonly hostname: string;
  /** Where the files are. */
  readonly directory: string;
  readonly sandbox: SandboxRecord;
  /** Other containers by fixed names. */
  readonly others: readonly (readonly [address: string, ...names: string[]])[];
}

/** systemd-resolved's upstream servers: what its stub on loopback asks. */
const RESOLVED = "/run/systemd/resolve/resolv.conf";

/** The engine's embedded server inside a container's namespace. */
export const EMBEDDED_SERVER = "127.0.0.11";

/** Written in place: the container has them as mounts. @throws {OrlopError} bad_value */
export function writeNetworkFiles(input: NetworkFilesInput, hasEmbeddedServer: boolean): void {
  const { body, hostname, directory, sandbox } = input;
  const { Dns, DnsSearch, DnsOptions, ExtraHosts } = body.HostConfig;
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
  const resolvers = resolversOf({ host: hostResolvers(), servers: Dns, search: DnsSearch, options: DnsOptions });
  const asked: Resolvers = hasEmbeddedServer
    ? { ...resolvers, servers: [EMBEDDED_SERVER], options: withDots(resolvers.options) }
    : resolvers;
  writeFileSync(`${directory}/hosts`, hosts);
  writeFileSync(`${directory}/hostname`, `${hostname}\n`);
  writeFileSync(`${directory}/resolv.conf`, resolvConfFile(asked));
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
export function hostResolvers(): Resolvers {
  const own = parseResolvConf(readText("/etc/resolv.conf") ?? "");
  if (own.servers.length === 0 || !own.servers.every(isLoopback)) return own;
  const behind = readText(RESOLVED);
  return behind === undefined ? own : { ...own, servers: parseResolvConf(behind).servers };
}
