/**
 * While `--rm` containers of one kind follow each other, the start of the next is begun before it is asked for: its group, its
 * namespaces, its root with the kernel's file systems, up to the last `ready` step of its plan, which depends on the kind alone.
 *
 * What is ready has an id of its own, and becomes the container of that id or none: it is used once. It is used only when the
 * plan of the new container begins with the very bytes that were sent ahead, on a machine whose mounts are the same, and the
 * directories that its root shows are the same too, not others of their names. One that nobody wants in time is taken back;
 * one whose engine died ends by itself, and the next engine clears its folders and its network away.
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
import { type Like, ReadyStart, requestOf, surroundingsOf } from "./ready-start.ts";
import { dependsOnOthers } from "./sharing.ts";

/** After a start, so that making others ready does not take part in it. */
const PAUSE_MS = 10;

type Parts = Pick<EngineParts, "machine" | "places" | "executor" | "background" | "clearAway" | "networks">;

interface Making {
  readonly kind: string;
  readonly made: Promise<ReadyStart | undefined>;
}

export class ReadyStarts {
  readonly #parts: Parts;
  readonly #kinds: LikelyKinds;
  /** With what takes each back when nobody wants it. */
  readonly #ready = new Map<ReadyStart, ReturnType<typeof setTimeout>>();
  /** Nobody's yet. */
  readonly #making = new Set<Making>();
  /** By kind: when more are made. */
  readonly #refills = new Map<string, ReturnType<typeof setTimeout>>();
  #isClosed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#kinds = new LikelyKinds(parts.machine.readyStarts);
  }

  /** For a container of this kind, and nobody else from here on; undefined where none is ready, nor soon. */
  async take(body: ContainerCreateBody): Promise<ReadyStart | undefined> {
    if (this.#ready.size === 0 && this.#making.size === 0) return undefined;
    const kind = kindOf(body);
    const ready = this.#ready.keys().find((one) => one.kind === kind);
    if (ready !== undefined) {
      this.#letGo(ready);
      return ready;
    }
    const making = this.#making.values().find((one) => one.kind === kind);
    if (making === undefined) return undefined;
    this.#making.delete(making);
    return making.made; // it is ahead of one that would begin now
  }

  /** Nothing came of the container. Resolves when it is kept, or gone. */
  async giveBack(ready: ReadyStart): Promise<void> {
    if (ready.isUsed) return;
    if (ready.isAlive && !this.#isClosed) this.#keep(ready);
    else await this.discard(ready);
  }

  /** Such a container was started: the next may be of its kind. */
  noteStart(like: Like): void {
    const kind = kindOf(like.body);
    if (kind === undefined || this.#isClosed) return;
    this.#kinds.note(kind, performance.now());
    if (this.#kinds.likely(kind) === 0) return;
    if (this.#countOf(kind) === 0) void this.#begin(like, kind); // the next one would find none
    clearTimeout(this.#refills.get(kind));
    const timer = setTimeout(() => void this.#refill(like, kind), PAUSE_MS);
    timer.unref();
    this.#refills.set(kind, timer);
  }

  async #refill(like: Like, kind: string): Promise<void> {
    this.#refills.delete(kind);
    while (!this.#isClosed && this.#countOf(kind) < this.#kinds.likely(kind))
      if (!(await this.#begin(like, kind))) return;
  }

  #countOf(kind: string): number {
    return [...this.#ready.keys(), ...this.#making].filter((one) => one.kind === kind).length;
  }

  /** @returns false where that cannot be */
  async #begin(like: Like, kind: string): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<ReadyStart | undefined>();
    const making = { kind, made: promise };
    this.#making.add(making);
    void this.#parts.background("making a start ready", async () => {
      let ready: ReadyStart | undefined;
      try {
        ready = await this.#make(like, kind);
      } catch (error) {
        log("warn", "no start could be made ready", error); // the next container's own says why that fails
      }
      const isNobodys = this.#making.delete(making);
      resolve(ready);
      if (isNobodys && ready !== undefined) await this.giveBack(ready);
    });
    return (await promise) !== undefined;
  }

  /** undefined where its network cannot be made ahead. */
  async #make(like: Like, kind: string): Promise<ReadyStart | undefined> {
    const { executor, networks, places: all } = this.#parts;
    const id = newContainerId();
    const plan = planStart(id, like, this.#parts);
    const beginning = beginningOf(plan.steps);
    const request = requestOf(like);
    const surroundings = surroundingsOf(beginning, all.runDir);
    const places = containerPlaces(all, id, true);
    for (const folder of [places.runDir, places.files]) mkdirSync(folder, { mode: 0o700 });
    point("container.ready.directory");
    let network: LentNetwork | undefined;
    try {
      network = await networks.lend({ id, body: like.body, places });
      if (network !== undefined || networkModeOf(like.body).kind !== "network") {
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
    const timer = setTimeout(() => this.#drop(ready), this.#kinds.patienceMs(ready.kind));
    timer.unref();
    this.#ready.set(ready, timer);
  }

  #letGo(ready: ReadyStart): void {
    clearTimeout(this.#ready.get(ready));
    this.#ready.delete(ready);
  }

  #drop(ready: ReadyStart): void {
    this.#letGo(ready);
    void this.discard(ready);
  }

  /** What is like it would not be what the next container needs either. */
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

  /** Nothing is made ready any more, and what is goes. */
  close(): void {
    this.#isClosed = true;
    for (const timer of this.#refills.values()) clearTimeout(timer);
    for (const ready of this.#ready.keys()) this.#drop(ready);
  }
}

/** What the beginning of a start depends on, roughly: the bytes decide. undefined where none can be made ready. */
export function kindOf(body: ContainerCreateBody): string | undefined {
  const { HostConfig, Image, Hostname, Domainname, Tty, OpenStdin, StdinOnce, NetworkingConfig, MacAddress } = body;
  if (!HostConfig.AutoRemove || HostConfig.CgroupParent !== "") return undefined;
  if (!canBeAhead(networkModeOf(body)) || dependsOnOthers(body)) return undefined;
  const network = [NetworkingConfig, MacAddress];
  return JSON.stringify([HostConfig, Image, Hostname, Domainname, Tty, OpenStdin, StdinOnce, network]);
}

/** Of networks the default one alone has sandboxes that are nobody's yet. */
function canBeAhead(mode: NetworkMode): boolean {
  return mode.kind === "none" || mode.kind === "host" || (mode.kind === "network" && mode.network === DEFAULT_NETWORK);
}
