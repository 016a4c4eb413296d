/** What a container's environment says of those that it has links to in the default network: Docker's variables, from before it had names. */

import { parseContainerPort } from "../../spec/engine-api-network.ts";

export interface LinkedContainer {
  /** The link's name for it. */
  readonly alias: string;
  /** Whose environment this is. */
  readonly ownName: string;
  readonly address: string;
  /** "80/tcp" … */
  readonly exposed: readonly string[];
  /** Its own environment, as it was asked for. */
  readonly environment: readonly string[];
}

interface Port {
  readonly port: number;
  readonly protocol: string;
}

/** "NAME=VALUE" each, in Docker's order. */
export function linkEnvironment({ alias, ownName, address, exposed, environment }: LinkedContainer): string[] {
  const prefix = alias.toUpperCase().replaceAll("-", "_");
  const ports = exposed.flatMap((written) => parseContainerPort(written) ?? []).toSorted(byNumber);
  const urlOf = ({ port, protocol }: Port): string => `${protocol}://${address}:${port}`;
  const nameOf = ({ port, protocol }: Port): string => `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
  const [first] = ports;
  return [
    ...(first === undefined ? [] : [`${prefix}_PORT=${urlOf(first)}`]),
    ...rangesOf(ports).flatMap(([from, to]) => [
      `${nameOf(from)}_START=${urlOf(from)}`,
      `${nameOf(from)}_ADDR=${address}`,
      `${nameOf(from)}_PROTO=${from.protocol}`,
      `${nameOf(from)}_PORT_START=${from.port}`,
      `${nameOf({ ...from, protocol: to.protocol })}_END=${urlOf(to)}`,
      `${nameOf({ ...from, protocol: to.protocol })}_PORT_END=${to.port}`,
    ]),
    ...ports.flatMap((port) => [
      `${nameOf(port)}=${urlOf(port)}`,
      `${nameOf(port)}_ADDR=${address}`,
      `${nameOf(port)}_PORT=${port.port}`,
      `${nameOf(port)}_PROTO=${port.protocol}`,
    ]),
    `${prefix}_NAME=/${ownName}/${alias}`,
    ...environment
      .filter((entry) => /^[^=]+=/.test(entry) && !/^(HOME|PATH)=/.test(entry))
      .map((entry) => `${prefix}_ENV_${entry}`),
  ];
}

/** tcp before the other protocols of the same number. */
function byNumber(one: Port, other: Port): number {
  return one.port - other.port || Number(one.protocol !== "tcp") - Number(other.protocol !== "tcp");
}

/** Ports that follow one another, from three on; one number twice (tcp and udp) counts as two, as it does for Docker. */
function rangesOf(ports: readonly Port[]): (readonly [from: Port, to: Port])[] {
  const ranges: (readonly [Port, Port])[] = [];
  for (let at = 0; at < ports.length; ) {
    const from = ports[at] as Port;
    let last = at;
    while ((ports[last + 1]?.port ?? Number.POSITIVE_INFINITY) <= from.port + (last + 1 - at)) last++;
    if (last > at + 1) ranges.push([from, ports[last] as Port]);
    at = last > at + 1 ? last + 1 : at + 1;
  }
  return ranges;
}
