/** The networks of running containers: namespaces, links, published ports. Each container's is made at its start and removed at its end. */

import { rmSync } from "node:fs";
import { point } from "../../base/point.ts";
import type { Executor } from "../../kernel/executor.ts";
import type { Netd } from "../../kernel/netd.ts";
import type { Step } from "../../kernel/step.ts";
import type { LinkNames } from "../../network/link-names.ts";
import { sandboxPlace } from "../places.ts";
import { Endpoints } from "./endpoints.ts";
import { HandOvers } from "./hand-overs.ts";
import type { HostNetwork, Survey } from "./host-network.ts";
import { LiveSandboxes } from "./live-sandboxes.ts";
import { hasEnded, replaceLink } from "./namespace-holder.ts";
import type { Network } from "./network.ts";
import { parsed } from "./network-create.ts";
import { PublishedPorts } from "./published-ports.ts";
import { SandboxChanges } from "./sandbox-changes.ts";
import { SandboxMaker } from "./sandbox-maker.ts";
import { readSandbox, type SandboxRecord, writeSandbox } from "./sandbox-record.ts";
import type { EndpointWish, SandboxWish } from "./sandbox-wish.ts";

export interface SandboxParts {
  readonly executor: Executor;
  readonly host: HostNetwork;
  readonly names: LinkNames;
  readonly netd: Netd;
  readonly runDir: string;
  /** As `EngineParts.background`. */
  background(what: string, work: () => Promise<void>): Promise<void>;
  /** Withdraws the container's names, before its namespace is removed. */
  forgetNames(containerId: string, record: SandboxRecord): Promise<void>;
  /** undefined for a network that has been removed. */
  networkOf(id: string): Network | undefined;
  /** For messages: the container that has a port. */
  nameOf(containerId: string): string;
}

export class Sandboxes {
  readonly #parts: SandboxParts;
  readonly #live: LiveSandboxes;
  readonly #ports: PublishedPorts;
  /** By container: its published ports are being given back. */
  readonly #portReleases = new Map<string, PromiseWithResolvers<void>>();
  readonly #maker: SandboxMaker;
  readonly #changes: SandboxChanges;
  readonly #handOvers: HandOvers;

  constructor(parts: SandboxParts) {
    this.#parts = parts;
    const { executor, host, netd, names, runDir } = parts;
    const networkOf = (id: string) => parts.networkOf(id);
    const pathOf = (sandboxId: string) => this.#maker.pathOf(sandboxId);
    const live = new LiveSandboxes(networkOf);
    const endpoints = new Endpoints({ host, names, networkOf });
    const ports = new PublishedPorts({
      ...{ executor, host, netd, networkOf },
      nameOf: (containerId) => parts.nameOf(containerId),
      releaseOf: (containerId) => live.releaseOf(containerId),
    });
    this.#live = live;
    this.#ports = ports;
    this.#maker = new SandboxMaker({ executor, endpoints, names, runDir });
    this.#changes = new SandboxChanges({ executor, live, endpoints, ports, pathOf, networkOf });
    const background = (what: string, work: () => Promise<void>) => parts.background(what, work);
    this.#handOvers = new HandOvers({ executor, live, pathOf, background });
  }

  of(containerId: string): SandboxRecord | undefined {
    return this.#live.of(containerId);
  }

  get containerIds(): readonly string[] {
    return this.#live.containerIds;
  }

  get isEmpty(): boolean {
    return this.#live.isEmpty;
  }

  // ── a container's start and end ──────────────────────────────────────────────────────────────────────────────────

  /**
   * Makes everything that the container's network needs before its program runs.
   *
   * @param ready a sandbox in the default network that no container has used
   * @returns steps that come first in the container's plan
   * @throws {OrlopError} something cannot be provided; nothing is left then
   */
  async attach(wish: SandboxWish, ready?: SandboxRecord): Promise<Step[]> {
    const { containerId, runDir } = wish;
    // Removes what the last run, or a start that an earlier engine did not finish, has left.
    await this.detach(containerId, runDir);
    const made = ready ?? (await this.#maker.makeOnceFree(wish.endpoints, this.#live.releases));
    return this.#join(wish, made, (record) => this.record(record, runDir));
  }

  /** As `attach`, with a sandbox that was made and recorded before the container existed. */
  attachLent(wish: SandboxWish, lent: SandboxRecord): Promise<Step[]> {
    return this.#join(wish, lent, (record) => {
      if (record.ports.length > 0) writeSandbox(wish.runDir, record);
    });
  }

  async #join(wish: SandboxWish, made: SandboxRecord, record: (own: SandboxRecord) => void): Promise<Step[]> {
    const { containerId, runDir } = wish;
    point("network.attach.made");
    this.#live.keep(containerId, made);
    try {
      const own = { ...made, ports: await this.#ports.hold(wish, made) };
      this.#live.keep(containerId, own);
      record(own);
      point("network.attach.recorded");
      return this.#ports.forward(containerId, own);
    } catch (error) {
      await this.detach(containerId, runDir);
      throw error;
    }
  }

  /** Records a sandbox for the next engine, and makes the link by which the container's plan finds its namespace. */
  record(record: SandboxRecord, runDir: string): void {
    writeSandbox(runDir, record);
    replaceLink(sandboxPlace(runDir), this.#maker.pathOf(record.id));
  }

  /** Called when the container runs. */
  noteStart(containerId: string, runDir: string, pid: number): void {
    this.#handOvers.noteStart(containerId, runDir, pid);
  }

  /** Hands the namespace over to the container, which `noteStart` does after a delay. */
  handOver(containerId: string, runDir: string, pid: number): Promise<void> {
    return this.#handOvers.handOver(containerId, runDir, pid);
  }

  /** Releases everything. Does nothing for a container without a sandbox. */
  detach(containerId: string, runDir: string): Promise<void> {
    const record = this.#live.of(containerId) ?? readSandbox(runDir);
    if (record === undefined) return this.#live.releaseOf(containerId) ?? Promise.resolve();
    this.#handOvers.forget(containerId);
    if (record.ports.length > 0) this.#portReleases.set(containerId, Promise.withResolvers());
    return this.#live.end(containerId, record, (left) => this.#release(containerId, runDir, left));
  }

  /** Resolves when the ports of a container that was detached are free for the machine's other programs, or could not be given back; undefined: it has none. */
  portsReleased(containerId: string): Promise<void> | undefined {
    return this.#portReleases.get(containerId)?.promise;
  }

  async #release(containerId: string, runDir: string, record: SandboxRecord): Promise<void> {
    point("network.detach.begun");
    try {
      await this.#ports.release(containerId, record);
    } finally {
      this.#portReleases.get(containerId)?.resolve();
      this.#portReleases.delete(containerId);
    }
    await this.#parts.forgetNames(containerId, record);
    await this.#maker.remove(record);
    point("network.detach.removed");
    for (const path of [`${runDir}/network.json`, sandboxPlace(runDir)]) rmSync(path, { force: true });
  }

  /** Records the port on which the embedded resolver listens. */
  noteResolver(containerId: string, runDir: string, resolverPort: number): void {
    const record = this.#live.of(containerId);
    if (record === undefined || record.resolverPort === resolverPort) return;
    this.#live.keep(containerId, { ...record, resolverPort });
    writeSandbox(runDir, { ...record, resolverPort });
  }

  /** What `attach` would do. Makes nothing and reserves nothing. @throws {OrlopError} something cannot be provided */
  foresee(wish: SandboxWish): Step[] {
    const { record, steps } = this.#maker.foresee(wish.endpoints);
    return [...steps, ...this.#ports.foresee(wish, record)];
  }

  // ── for the pool of ready ones ───────────────────────────────────────────────────────────────────────────────────

  /** Makes a sandbox for the pool. */
  makeReady(endpoint: EndpointWish): Promise<SandboxRecord> {
    return this.#maker.make([endpoint]);
  }

  /** Removes a sandbox that no container has. */
  removeSandbox(record: SandboxRecord): Promise<void> {
    return this.#maker.remove(record);
  }

  // ── while the container runs ─────────────────────────────────────────────────────────────────────────────────────

  /** Whether the container has ended, even if that is not reported yet: changes to its network may fail then. */
  hasEnded(containerId: string): boolean {
    const record = this.#live.of(containerId);
    return record === undefined || (record.holder !== undefined && hasEnded(record.holder));
  }

  connect(containerId: string, runDir: string, wish: EndpointWish): Promise<void> {
    return this.#changes.connect(containerId, runDir, wish);
  }

  disconnect(containerId: string, runDir: string, networkId: string): Promise<void> {
    return this.#changes.disconnect(containerId, runDir, networkId);
  }

  // ── at the engine's start ────────────────────────────────────────────────────────────────────────────────────────

  /** Takes over the sandbox of a running container. */
  adopt(containerId: string, runDir: string): void {
    const record = readSandbox(runDir);
    if (record === undefined) return;
    this.#live.keep(containerId, record);
    for (const { networkId, addresses } of record.endpoints)
      this.#parts.networkOf(networkId)?.reclaim(addresses.map(parsed));
    this.#ports.adopt(containerId, record);
  }

  /** Ids of the networks that sandboxes are in. */
  get networkIds(): ReadonlySet<string> {
    return new Set(this.#live.records.flatMap(({ endpoints }) => endpoints.map(({ networkId }) => networkId)));
  }

  /** Removes sandboxes that an earlier engine made and no container has. */
  removeStrays(survey: Survey): Promise<void> {
    return this.#maker.removeStrays(survey, new Set(this.#live.records.map(({ id }) => id)));
  }
}
