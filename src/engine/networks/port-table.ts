/** The published ports of the host and the containers that have them; chooses ports that the request leaves open. No I/O. */

import {
  type PortBinding,
  type PortProtocol,
  parseContainerPort,
  parseHostPorts,
} from "../../spec/engine-api-network.ts";
import type { PublishedPort } from "./sandbox-record.ts";

/** The kernel's default range of ephemeral ports. */
const FREE_FIRST = 32_768;
const FREE_LAST = 60_999;

export interface PortWish {
  readonly protocol: PortProtocol;
  readonly containerPort: number;
  /** Addresses on which the same port is published. */
  readonly hostAddresses: readonly string[];
  /** 0: any free port. */
  readonly first: number;
  readonly last: number;
}

export interface WishInput {
  readonly bindings: Readonly<Record<string, readonly PortBinding[]>>;
  readonly exposed: readonly string[];
  readonly publishAll: boolean;
  /** The address for ports that name none; "": all addresses. */
  readonly hostBinding4: string;
  readonly hostBinding6: string;
  readonly hasIpv6: boolean;
}

export function wishesOf(input: WishInput): PortWish[] {
  const all = input.publishAll
    ? input.exposed.filter((key) => !Object.hasOwn(input.bindings, key)).map((key) => [key, []] as const)
    : [];
  return [...Object.entries(input.bindings), ...all].flatMap(([key, given]) => {
    const port = parseContainerPort(key);
    if (port === undefined) return []; // cannot happen: the parser refuses it
    const bindings = given.length === 0 ? [{ HostIp: "", HostPort: "" }] : given;
    return bindings.map(({ HostIp, HostPort }) => ({
      protocol: port.protocol,
      containerPort: port.port,
      hostAddresses: HostIp === "" ? everywhere(input) : [HostIp],
      ...(parseHostPorts(HostPort) ?? { first: 0, last: 0 }),
    }));
  });
}

function everywhere({ hostBinding4, hostBinding6, hasIpv6 }: WishInput): string[] {
  const isNarrow = hostBinding4 !== "" && hostBinding4 !== "0.0.0.0";
  if (isNarrow && hostBinding6 === "") return [hostBinding4];
  return [hostBinding4 || "0.0.0.0", ...(hasIpv6 ? [hostBinding6 || "::"] : [])];
}

interface Holder {
  readonly owner: string;
  readonly address: string;
}

/** A published port, and the container that has it. */
export interface Taken {
  readonly owner: string;
  readonly wish: PortWish;
  readonly hostAddress: string;
  readonly hostPort: number;
}

export class PortTable {
  readonly #holders = new Map<string, Holder[]>();
  readonly #byOwner = new Map<string, readonly PublishedPort[]>();
  #nextFree = FREE_FIRST;

  /**
   * Chooses a port for each wish, without reserving any.
   *
   * @param refused "tcp/8080" …: ports that the kernel has refused
   */
  choose(wishes: readonly PortWish[], refused: ReadonlySet<string> = new Set()): PublishedPort[] | Taken {
    const chosen: PublishedPort[] = [];
    const own = new Map<string, string[]>();
    for (const wish of wishes) {
      const port = this.#pick(wish, own, refused);
      if (typeof port !== "number") return port;
      const { protocol, containerPort } = wish;
      const key = `${protocol}/${port}`;
      own.set(key, [...(own.get(key) ?? []), ...wish.hostAddresses]);
      for (const hostAddress of wish.hostAddresses)
        chosen.push({ protocol, containerPort, hostAddress, hostPort: port });
    }
    return chosen;
  }

  /** @param own by "tcp/8080": the addresses on which this choice has the port already */
  #pick(wish: PortWish, own: ReadonlyMap<string, readonly string[]>, refused: ReadonlySet<string>): number | Taken {
    let last: Taken | undefined;
    for (const port of this.#candidates(wish)) {
      const key = `${wish.protocol}/${port}`;
      if (refused.has(key)) continue;
      const taken = wish.hostAddresses.flatMap((hostAddress) => {
        const isOwn = own.get(key)?.some((address) => meets(address, hostAddress));
        const owner = isOwn ? "" : this.#holderOf(key, hostAddress)?.owner;
        return owner === undefined ? [] : [{ owner, wish, hostAddress, hostPort: port }];
      })[0];
      if (taken === undefined) return port;
      last = taken;
    }
    return last ?? { owner: "", wish, hostAddress: wish.hostAddresses[0] ?? "", hostPort: wish.first };
  }

  *#candidates({ first, last }: PortWish): Generator<number> {
    if (first !== 0) {
      for (let port = first; port <= last; port++) yield port;
      return;
    }
    for (let tries = FREE_FIRST; tries <= FREE_LAST; tries++) {
      const port = this.#nextFree;
      this.#nextFree = port === FREE_LAST ? FREE_FIRST : port + 1;
      yield port;
    }
  }

  #holderOf(key: string, address: string): Holder | undefined {
    return this.#holders.get(key)?.find((holder) => meets(holder.address, address));
  }

  take(owner: string, ports: readonly PublishedPort[]): void {
    this.#byOwner.set(owner, ports);
    for (const { protocol, hostPort, hostAddress } of ports) {
      const key = `${protocol}/${hostPort}`;
      const holders = this.#holders.get(key) ?? [];
      holders.push({ owner, address: hostAddress });
      this.#holders.set(key, holders);
    }
  }

  release(owner: string): void {
    for (const { protocol, hostPort } of this.#byOwner.get(owner) ?? []) {
      const key = `${protocol}/${hostPort}`;
      const rest = this.#holders.get(key)?.filter((holder) => holder.owner !== owner) ?? [];
      if (rest.length === 0) this.#holders.delete(key);
      else this.#holders.set(key, rest);
    }
    this.#byOwner.delete(owner);
  }
}

/** Whether sockets on both addresses would conflict. */
function meets(one: string, other: string): boolean {
  if (one.includes(":") !== other.includes(":")) return false;
  return one === other || isEverywhere(one) || isEverywhere(other);
}

export function isEverywhere(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}
