/**
 * While `--rm` containers of one kind follow each other, the start of the next one is begun before it is requested: its cgroup, its
 * namespaces, its root with the kernel's file systems, up to the last `ready` step of its plan. Up to there a plan depends on the
 * container's kind only.
 *
 * A ready start has an id, and is used once, for a container that gets that id. It is used only if the plan of the new container
 * begins with the same bytes, the machine's mounts are unchanged, and the directories of its root are the same inodes. If it is not
 * used in time, it is withdrawn. If the engine dies, it ends by itself, and the next engine removes its folders and its network.
 */

import { mkdirSync } from "node:fs";
import { newContainerId } from "../../base/id.ts";
import { log } from "../../base/log.ts";
import { point } from "../../base/point.ts";
import { beginningOf } from "../../runtime/plan-container.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { EngineParts } from "../engine-parts.ts";
import type { LentNetwork } from "../networks/lent-networks.ts";
import { type NetworkMode, networkModeOf } from "../networks/network-mode.ts";
import { DEFAULT_NETWORK } from "../networks/network-record.ts";
import { containerPlaces } from "../places.ts";
import { planStart } from "./container-plan.ts";
import { LikelyKinds } from "./likely-kinds.ts";
import { type ContainerInputs, ReadyStart, requestOf, surroundingsOf } from "./ready-start.ts";
import { dependsOnOthers } from "./sharing.ts";

/** The delay after a start, so that making others ready does not compete with it. */
const REFILL_DELAY_MS = 10;

type Parts = Pick<EngineParts, "machine" | "places" | "executor" | "background" | "clearAway" | "networks">;

interface Making {
  readonly kind: string;
  readonly made: Promise<ReadyStart | undefined>;
}

export class ReadyStarts {
  readonly #parts: Parts;
  readonly #kinds: LikelyKinds;
  /** Each with the timer that withdraws it. */
  readonly #ready = new Map<ReadyStart, ReturnType<typeof setTimeout>>();
  /** Those being made that no container waits for yet. */
  readonly #making = new Set<Making>();
  /** By kind: the timer after which more are made. */
  readonly #refills = new Map<string, ReturnType<typeof setTimeout>>();
  #isClosed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#kinds = new LikelyKinds(parts.machine.readyStarts);
  }

  /** Takes a ready start for a new container; undefined when none is ready or being made. */
  async take(body: ContainerCreateBody): Promise<ReadyStart | undefined> {
    if (this.#ready.size === 0 && this.#making.size === 0) return undefined;
    const kind = kindOf(body);
    const ready = this.#ready.keys().find((one) => one.kind === kind);
    if (ready !== undefined) {
      this.#remove(ready);
      return ready;
    }
    const making = this.#making.values().find((one) => one.kind === kind);
    if (making === undefined) return undefined;
    this.#making.delete(making);
    return making.made; // sooner than a start that begins now
  }

  /** Returns a start that was taken, if the container was not created after all. */
  async giveBack(ready: ReadyStart): Promise<void> {
    if (ready.isUsed) return;
    if (ready.isAlive && !this.#isClosed) this.#keep(ready);
    else await this.discard(ready);
  }

  /** Called after the start of a container: the next one may be of its kind. */
  noteStart(inputs: ContainerInputs): void {
    const kind = kindOf(inputs.body);
    if (kind === undefined || this.#isClosed) return;
    this.#kinds.record(kind, performance.now());
    if (this.#kinds.likely(kind) === 0) return;
    if (this.#countOf(kind) === 0) void this.#begin(inputs, kind); // at once, else the next container finds none
    clearTimeout(this.#refills.get(kind));
    const timer = setTimeout(() => void this.#refill(inputs, kind), REFILL_DELAY_MS);
    timer.unref();
    this.#refills.set(kind, timer);
  }

  async #refill(inputs: ContainerInputs, kind: string): Promise<void> {
    this.#refills.delete(kind);
    while (!this.#isClosed && this.#countOf(kind) < this.#kinds.likely(kind))
      if (!(await this.#begin(inputs, kind))) return;
  }

  #countOf(kind: string): number {
    return [...this.#ready.keys(), ...this.#making].filter((one) => one.kind === kind).length;
  }

  /** @returns false if none could be made */
  async #begin(inputs: ContainerInputs, kind: string): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<ReadyStart | undefined>();
    const making = { kind, made: promise };
    this.#making.add(making);
    void this.#parts.background("making a start ready", async () => {
      let ready: ReadyStart | undefined;
      try {
        ready = await this.#make(inputs, kind);
      } catch (error) {
        log("warn", "no start could be made ready", error); // a real start reports the reason
      }
      const isUnclaimed = this.#making.delete(making);
      resolve(ready);
      if (isUnclaimed && ready !== undefined) await this.giveBack(ready);
    });
    return (await promise) !== undefined;
  }

  /** undefined if its network cannot be made ahead. */
  async #make(inputs: ContainerInputs, kind: string): Promise<ReadyStart | undefined> {
    const { executor, networks, places: all } = this.#parts;
    const id = newContainerId();
    const plan = planStart(id, inputs, this.#parts);
    const beginning = beginningOf(plan.steps);
    const request = requestOf(inputs);
    const surroundings = surroundingsOf(beginning, all.runDir);
    const places = containerPlaces(all, id, true);
    for (const folder of [places.runDir, places.files]) mkdirSync(folder, { mode: 0o700 });
    point("container.ready.directory");
    let network: LentNetwork | undefined;
    try {
      network = await networks.lend({ id, body: inputs.body, places });
      if (network !== undefined || networkModeOf(inputs.body).kind !== "network") {
        const begun = await executor.beginMonitor(beginning);
        point("container.ready.begun");
        return new ReadyStart({ id, kind, plan, request, begun, surroundings, runDir: all.runDir, network });
      }
    } catch (error) {
      if (network !== undefined) await networks.takeBack(network);
      await this.#clearAway(id, plan.groupPath);
      throw error;
    }
    await this.#clearAway(id, plan.groupPath);
    return undefined;
  }

  #keep(ready: ReadyStart): void {
    const timer = setTimeout(() => this.#drop(ready), this.#kinds.keepMs(ready.kind));
    timer.unref();
    this.#ready.set(ready, timer);
  }

  #remove(ready: ReadyStart): void {
    clearTimeout(this.#ready.get(ready));
    this.#ready.delete(ready);
  }

  #drop(ready: ReadyStart): void {
    this.#remove(ready);
    void this.discard(ready);
  }

  /** Withdraws a start, and removes what belongs to it. Never rejects. */
  discard(ready: ReadyStart): Promise<boolean> {
    return this.#parts.background("taking a ready start back", async () => {
      await ready.withdraw();
      if (ready.network !== undefined) await this.#parts.networks.takeBack(ready.network);
      await this.#clearAway(ready.id, ready.groupPath);
    });
  }

  #clearAway(id: string, groupPath: string): Promise<void> {
    return this.#parts.clearAway(groupPath, containerPlaces(this.#parts.places, id, true).owned);
  }

  /** Withdraws all, and makes no more. */
  close(): void {
    this.#isClosed = true;
    for (const timer of this.#refills.values()) clearTimeout(timer);
    for (const ready of this.#ready.keys()) this.#drop(ready);
  }
}

/**
 * A key of what the beginning of a start depends on, for grouping only: whether a ready start fits is decided by comparing bytes.
 * undefined for a container whose start cannot be begun ahead.
 */
export function kindOf(body: ContainerCreateBody): string | undefined {
  const { HostConfig, Image, Hostname, Domainname, Tty, OpenStdin, StdinOnce, NetworkingConfig, MacAddress } = body;
  if (!HostConfig.AutoRemove || HostConfig.CgroupParent !== "") return undefined;
  if (!canBeAhead(networkModeOf(body)) || dependsOnOthers(body)) return undefined;
  const network = [NetworkingConfig, MacAddress];
  return JSON.stringify([HostConfig, Image, Hostname, Domainname, Tty, OpenStdin, StdinOnce, network]);
}

/** Only the default network has sandboxes that are made before their container. */
function canBeAhead(mode: NetworkMode): boolean {
  return mode.kind === "none" || mode.kind === "host" || (mode.kind === "network" && mode.network === DEFAULT_NETWORK);
}
