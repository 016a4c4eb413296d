/** /etc/hosts, /etc/hostname and /etc/resolv.conf of a container, by its network mode. With the host's network they are copies of the host's, as in Docker. */

import { existsSync } from "node:fs";
import { OrlopError } from "../../base/errors.ts";
import { HOST_GATEWAY, parseExtraHost, resolvConfFile } from "../../network/name-files.ts";
import { hostLines, identityFiles } from "../../runtime/identity-files.ts";
import type { OwnFile } from "../../runtime/plan-own-files.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import { type Machine, readText } from "../machine.ts";
import { resolversOfBody } from "../networks/network-files.ts";
import { networkModeOf } from "../networks/network-mode.ts";
import { hostnameOf } from "./container-spec.ts";
import type { Donations } from "./sharing.ts";

/** Written by the engine when the container's addresses are known (`network-files.ts`). */
const networkFiles: readonly OwnFile[] = [
  { path: "/etc/hosts", mode: 0o644, content: undefined, why: "its own name leads to its own addresses" },
  { path: "/etc/hostname", mode: 0o644, content: undefined, why: "its own name, for programs that read the file" },
  { path: "/etc/resolv.conf", mode: 0o644, content: undefined, why: "the name servers that it asks" },
];

/** In bytes. A larger /etc/hosts (a list of blocked domains) is not copied: it would not fit into the frame of a step. */
const MACHINE_HOSTS_MAX_BYTES = 512 * 1024;

export interface OwnFilesInput {
  readonly id: string;
  readonly body: ContainerCreateBody;
  readonly machine: Machine;
  /** The root is the machine's own (`host` image), so the machine's files are in it. */
  readonly showsMachine: boolean;
}

/** @throws {OrlopError} bad_value, network_mode_excludes */
export function ownFilesOf(input: OwnFilesInput, { network }: Donations): readonly OwnFile[] {
  if (network !== undefined)
    return networkFiles.filter(({ path }) => existsSync(`${network.files}/${path.slice("/etc/".length)}`));
  const mode = networkModeOf(input.body);
  if (mode.kind === "network") return networkFiles;
  if (mode.kind === "host") return machineFiles(input);
  const { body } = input;
  return [
    ...identityFiles({
      hostname: hostnameOf(input),
      domainname: body.Domainname,
      address: "127.0.0.1",
      extraHosts: extraHostsOf(body, undefined),
    }),
    ...(setsResolvers(body) ? [resolvConf(resolvConfFile(resolversOfBody(body)))] : []),
  ];
}

/** For the host's network: the host's own files, with what the request adds. A `host` root has them already, unless something is added. */
function machineFiles({ id, body, machine, showsMachine }: OwnFilesInput): OwnFile[] {
  const extra = hostLines(extraHostsOf(body, "127.0.0.1").map(([name, to]) => [to, name]));
  const files: OwnFile[] = [];
  if (!showsMachine || extra !== "") files.push(hosts(machineHosts() + extra));
  if (!showsMachine || body.Hostname !== "") files.push(hostname(`${hostnameOf({ id, body, machine })}\n`));
  if (setsResolvers(body)) files.push(resolvConf(resolvConfFile(resolversOfBody(body))));
  else if (!showsMachine) files.push(resolvConf(readText("/etc/resolv.conf") ?? ""));
  return files;
}

function machineHosts(): string {
  const text = readText("/etc/hosts") ?? "";
  if (text === "" || text.length > MACHINE_HOSTS_MAX_BYTES) return "127.0.0.1\tlocalhost\n::1\tlocalhost\n";
  return text.endsWith("\n") ? text : `${text}\n`;
}

/** @param gateway the address that stands for host-gateway; undefined: the container cannot reach the host */
function extraHostsOf(
  { HostConfig: { ExtraHosts, NetworkMode } }: ContainerCreateBody,
  gateway: string | undefined,
): (readonly [name: string, address: string])[] {
  return ExtraHosts.map(parseExtraHost).map(([name, address]) => {
    if (address !== HOST_GATEWAY) return [name, address];
    if (gateway === undefined)
      throw OrlopError.of("network_mode_excludes", { mode: NetworkMode, what: `${HOST_GATEWAY} for ${name}` });
    return [name, gateway];
  });
}

function setsResolvers({ HostConfig: { Dns, DnsSearch, DnsOptions } }: ContainerCreateBody): boolean {
  return [Dns, DnsSearch, DnsOptions].some((words) => words.length > 0);
}

const hosts = (content: string): OwnFile => ({
  path: "/etc/hosts",
  mode: 0o644,
  content,
  why: "the machine's names, whose network it has, and what was asked for",
});

const hostname = (content: string): OwnFile => ({
  path: "/etc/hostname",
  mode: 0o644,
  content,
  why: "its name, for programs that read the file",
});

const resolvConf = (content: string): OwnFile => ({
  path: "/etc/resolv.conf",
  mode: 0o644,
  content,
  why: "the name servers that it asks",
});
