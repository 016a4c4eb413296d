/** Published ports of containers: chosen, held by netd, forwarded by the host's rules or relayed by netd. */

import { OrlopError } from "../../base/errors.ts";
import { addressBytes, addressFromBytes, formatAddress, parseAddress } from "../../base/ip-address.ts";
import { log } from "../../base/log.ts";
import type { Executor } from "../../kernel/executor.ts";
import { type HeldPorts, type Netd, PortRefused } from "../../kernel/netd.ts";
import type { Step } from "../../kernel/step.ts";
import type { ForwardedPort } from "../../network/ruleset.ts";
import { type HostNetwork, hasIpv6 } from "./host-network.ts";
import type { Network } from "./network.ts";
import { isEverywhere, PortTable, type PortWish, type Taken, wishesOf } from "./port-table.ts";
import { addressOf, leadingEndpoint, type PublishedPort, runsOf, type SandboxRecord } from "./sandbox-record.ts";
import type { SandboxWish } from "./sandbox-wish.ts";

/** How many other ports are tried when the one that was chosen is in use by another program. */
const PORT_TRIES = 64;

export interface PublishedPortsParts {
  readonly executor: Executor;
  readonly host: HostNetwork;
  readonly netd: Netd;
  /** undefined for a network that has been removed. */
  networkOf(id: string): Network | undefined;
  /** For messages: the container that has a port. */
  nameOf(containerId: string): string;
  /** The release of a container that has ended, while it is under way. */
  releaseOf(containerId: string): Promise<void> | undefined;
}

export class PublishedPorts {
  readonly #parts: PublishedPortsParts;
  readonly #table = new PortTable();

  constructor(parts: PublishedPortsParts) {
    this.#parts = parts;
  }

  /** Chooses the ports and reserves them; nothing is forwarded yet. @throws {OrlopError} port_taken, port_refused */
  async hold(wish: SandboxWish, record: SandboxRecord): Promise<readonly PublishedPort[]> {
    const wishes = this.#wishesOf(wish, record);
    if (wishes.length === 0) return [];
    const refused = new Set<string>();
    for (let tries = 0; ; tries++) {
      const ports = await this.#choose(wish, record, wishes, refused);
      this.#table.take(wish.containerId, ports);
      try {
        await this.#parts.netd.hold(wish.containerId, heldPorts(ports, record));
        return ports;
      } catch (error) {
        this.#table.release(wish.containerId);
        if (!(error instanceof PortRefused)) throw error;
        refused.add(`${error.ports.protocol}/${error.port}`);
        const named = wishes.some(
          ({ protocol, first, last }) => protocol === error.ports.protocol && first === last && first === error.port,
        );
        if (named || error.errno !== "EADDRINUSE" || tries === PORT_TRIES) throw this.#refusal(wish, record, error);
      }
    }
  }

  /** Forwards the ports. @returns steps in the container's namespace, for its plan */
  forward(containerId: string, record: SandboxRecord): Step[] {
    return this.#parts.host.rules.publish(containerId, forwardedPorts(record));
  }

  /** What `hold` and `forward` would do. Reserves nothing. @throws {OrlopError} port_taken */
  foresee(wish: SandboxWish, record: SandboxRecord): Step[] {
    const ports = this.#table.choose(this.#wishesOf(wish, record));
    if (!Array.isArray(ports)) throw this.#taken(wish, record, ports);
    return this.#parts.host.rules.planPorts(forwardedPorts({ ...record, ports }));
  }

  /** Forwards published ports to the endpoint that has the default route now. */
  async republish(containerId: string, before: SandboxRecord, after: SandboxRecord): Promise<void> {
    const moved = ([4, 6] as const).some((version) => targetOf(before, version) !== targetOf(after, version));
    if (!moved || after.ports.length === 0) return;
    const { executor, host, netd } = this.#parts;
    await host.rules.unpublish(containerId);
    const steps = this.forward(containerId, after);
    if (steps.length > 0) await executor.run(steps);
    await netd.hold(containerId, heldPorts(after.ports, after));
  }

  /** Ends the forwarding, then frees the ports. */
  async release(containerId: string, record: SandboxRecord): Promise<void> {
    const { host, netd } = this.#parts;
    if (record.ports.length > 0) {
      await host.rules.unpublish(containerId);
      await netd.hold(containerId, []);
    }
    this.#table.release(containerId);
  }

  /** Takes over the ports of a running container. */
  adopt(containerId: string, record: SandboxRecord): void {
    this.#table.take(containerId, record.ports);
    this.#parts.host.rules.adopt(containerId, forwardedPorts(record));
    if (record.ports.length > 0)
      this.#parts.netd
        .hold(containerId, heldPorts(record.ports, record))
        .catch((error: unknown) => log("error", `ports of ${containerId} are not held any more`, error));
  }

  #wishesOf(wish: SandboxWish, record: SandboxRecord): readonly PortWish[] {
    const leading = leadingEndpoint(record, 4) ?? leadingEndpoint(record, 6);
    const network = leading === undefined ? undefined : this.#parts.networkOf(leading.networkId);
    if (network === undefined || network.record.driver !== "bridge" || !asksForPorts(wish.ports)) return [];
    const { hostBinding4, hostBinding6 } = network.bridge;
    return wishesOf({ ...wish.ports, hostBinding4, hostBinding6, hasIpv6: hasIpv6() });
  }

  /** Waits for containers that are releasing ports that are wanted. */
  async #choose(
    wish: SandboxWish,
    record: SandboxRecord,
    wishes: readonly PortWish[],
    refused: ReadonlySet<string>,
  ): Promise<PublishedPort[]> {
    for (;;) {
      const chosen = this.#table.choose(wishes, refused);
      if (Array.isArray(chosen)) return chosen;
      const release = this.#parts.releaseOf(chosen.owner);
      if (release === undefined) throw this.#taken(wish, record, chosen);
      await release;
    }
  }

  #taken({ containerName }: SandboxWish, { endpoints }: SandboxRecord, taken: Taken): OrlopError {
    return OrlopError.of("port_taken", {
      endpoint: containerName,
      id: endpoints[0]?.id ?? "",
      binding: `${bracketed(taken.hostAddress)}:${taken.hostPort}`,
      holder:
        taken.owner === ""
          ? "by this container itself, or by other programs"
          : `by container ${this.#parts.nameOf(taken.owner)}`,
    });
  }

  #refusal(wish: SandboxWish, record: SandboxRecord, refused: PortRefused): OrlopError {
    const where = {
      endpoint: wish.containerName,
      id: record.endpoints[0]?.id ?? "",
      binding: `${bracketed(formatAddress(addressFromBytes(refused.ports.address)))}:${refused.port}`,
    };
    if (refused.errno !== "EADDRINUSE")
      return OrlopError.of("port_refused", { ...where, reason: reasonOf(refused.errno) }, refused);
    const { owner, pid, command } = refused.holder ?? {};
    const holder =
      owner !== undefined
        ? `by container ${this.#parts.nameOf(owner)}`
        : pid === undefined
          ? "by a program that cannot be seen from here"
          : `by ${command ?? "a program"}, process ${pid}`;
    return OrlopError.of("port_taken", { ...where, holder }, refused);
  }
}

/** The ports that rules forward, without those that netd relays. */
function forwardedPorts(record: SandboxRecord): ForwardedPort[] {
  const targets = { 4: parseAddress(targetOf(record, 4)), 6: parseAddress(targetOf(record, 6)) };
  return record.ports.flatMap(({ protocol, containerPort, hostAddress, hostPort }) => {
    const version = hostAddress.includes(":") ? 6 : 4;
    const to = targets[version];
    if (to === undefined || to.version !== version) return [];
    const address = isEverywhere(hostAddress) ? undefined : parseAddress(hostAddress);
    return [{ protocol, hostAddress: address, hostPort, to, toPort: containerPort }];
  });
}

function asksForPorts({ bindings, publishAll }: SandboxWish["ports"]): boolean {
  return publishAll || Object.keys(bindings).length > 0;
}

/** The container's address to which a port of this IP version is forwarded: of the other version if it has none. */
function targetOf(record: SandboxRecord, version: 4 | 6): string {
  for (const wanted of version === 4 ? ([4, 6] as const) : ([6, 4] as const)) {
    const endpoint = leadingEndpoint(record, wanted);
    const address = endpoint === undefined ? "" : addressOf(endpoint, wanted);
    if (address !== "") return address;
  }
  return "";
}

/** Groups consecutive ports of one address. */
function heldPorts(ports: readonly PublishedPort[], record: SandboxRecord): HeldPorts[] {
  return runsOf(ports).flatMap(({ protocol, hostAddress, hostPort, containerPort, count }) => {
    const address = parseAddress(hostAddress);
    if (address === undefined) return [];
    const target = parseAddress(targetOf(record, address.version));
    const relayed = protocol === "sctp" || target === undefined;
    return {
      protocol,
      address: addressBytes(address),
      first: hostPort,
      last: hostPort + count - 1,
      ...(relayed ? {} : { relay: { address: addressBytes(target), port: containerPort } }),
    };
  });
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

function reasonOf(errno: string): string {
  if (errno === "EADDRNOTAVAIL") return "cannot assign requested address: no link of this host has it";
  return errno;
}
