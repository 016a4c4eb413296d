/** All containers: creating them, finding them by id, name or id prefix, pruning them. */

import { OrlopError } from "../../base/errors.ts";
import { isName } from "../../base/id.ts";
import type { Digest } from "../../spec/digest.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { Platform } from "../../spec/platform.ts";
import type { EngineParts } from "../engine-parts.ts";
import type { Exec } from "../execs/exec.ts";
import type { MountedImage } from "../mounts/mount-point.ts";
import { parseLink } from "../networks/container-links.ts";
import type { ForeseenNetworks } from "../networks/network-foresee.ts";
import { networkModeOf } from "../networks/network-mode.ts";
import { DEFAULT_NETWORK } from "../networks/network-record.ts";
import { Container } from "./container.ts";
import { generateName } from "./container-name.ts";
import type { StartPlan } from "./container-plan.ts";
import type { ContainerRecord } from "./container-record.ts";
import { type ContainerSize, measureContainer } from "./container-size.ts";
import { type Created, imagesOf, NewContainers } from "./new-containers.ts";
import type { ReadyStarts } from "./ready-starts.ts";
import { RecentExits } from "./recent-exits.ts";

export interface Pruned {
  readonly ids: readonly string[];
  readonly reclaimedBytes: number;
}

export class Containers {
  readonly #parts: EngineParts;
  readonly #byId = new Map<string, Container>();
  readonly #byName = new Map<string, string>();
  #isPruning = false;
  readonly recentExits = new RecentExits();
  readonly #new: NewContainers;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#new = new NewContainers(parts, {
      get: (reference) => this.get(reference),
      reserve: (id, name) => this.#reserve(id, name),
      release: (name) => this.#byName.delete(name),
      add: (container) => this.#byId.set(container.id, container),
    });
  }

  get readyStarts(): ReadyStarts {
    return this.#new.readyStarts;
  }

  /** Oldest first. */
  all(): Container[] {
    return [...this.#byId.values()];
  }

  /**
   * @param platform what the image must be for
   * @throws {OrlopError} bad_value, unknown_field, no_such_image, name_in_use …; nothing is created then
   */
  create(asked: ContainerCreateBody, name: string, platform?: Platform): Promise<Created> {
    return this.#new.create(asked, name, platform);
  }

  /** What a start would do, for `explain`. @throws {OrlopError} what is wrong with the request */
  plan(asked: ContainerCreateBody): Promise<StartPlan & { readonly networks: ForeseenNetworks }> {
    return this.#new.plan(asked);
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  /** The containers that use an image, including those that are just being created. */
  usersOf(image: Digest): { readonly id: string; readonly isRunning: boolean }[] {
    const has = (images: readonly MountedImage[]): boolean => images.some(({ id }) => id === image);
    const creating = this.#new
      .creating()
      .filter(([, images]) => has(images))
      .map(([id]) => ({ id, isRunning: false }));
    const made = this.all().filter(({ record }) => has(imagesOf(record)));
    return [...made.map(({ id, isRunning }) => ({ id, isRunning })), ...creating];
  }

  /** Every image that a container uses. Their layers must be kept even when their tags are gone. */
  images(): MountedImage[] {
    const creating = this.#new.creating().map(([, images]) => images);
    return [...creating, ...this.all().map(({ record }) => imagesOf(record))].flat();
  }

  /** Adds a container that an earlier engine has recorded. */
  restore(record: ContainerRecord): Container {
    const container = new Container(this.#parts, record);
    this.#byId.set(record.id, container);
    this.#byName.set(record.name, record.id);
    return container;
  }

  /**
   * Finds a container by its id, its name, the name of a link ("web/db") or a prefix of its id.
   *
   * @throws {OrlopError} no_such_container, ambiguous_id
   */
  get(reference: string): Container {
    const name = reference.startsWith("/") ? reference.slice(1) : reference;
    const exact =
      this.#byId.get(reference) ?? this.#byId.get(this.#byName.get(name) ?? "") ?? this.#linked(name)?.target;
    if (exact !== undefined) return exact;
    const matches = /^[0-9a-f]+$/.test(reference) ? this.all().filter(({ id }) => id.startsWith(reference)) : [];
    if (matches.length > 1) throw OrlopError.of("ambiguous_id", { prefix: reference });
    const [found] = matches;
    if (found === undefined) throw OrlopError.of("no_such_container", { id: reference });
    return found;
  }

  /**
   * Renames a container. The old name is free afterwards.
   *
   * @throws {OrlopError} no_such_container, bad_value, name_in_use, same_name, container_removing
   */
  async rename(reference: string, name: string): Promise<void> {
    const container = this.get(reference);
    const wanted = name.startsWith("/") ? name.slice(1) : name;
    if (wanted === container.name) throw OrlopError.of("same_name", { name: wanted });
    if (wanted === "")
      throw OrlopError.of("bad_value", { what: "parameter name", value: name, expected: "the container's new name" });
    const chosen = this.#reserve(container.id, wanted);
    try {
      const old = await container.changes.rename(chosen);
      if (this.#byName.get(old) === container.id) this.#byName.delete(old);
    } catch (error) {
      this.#byName.delete(chosen);
      throw error;
    }
  }

  /**
   * Takes the name away that a link gives a container.
   *
   * @param name "web/db": what web calls by db
   * @throws {OrlopError} no_such_container, default_link_name
   */
  async unlink(name: string): Promise<void> {
    const found = this.#linked(name.replace(/^\//, ""));
    if (found !== undefined) return found.owner.connections.unlink(found.written);
    this.get(name);
    throw OrlopError.of("default_link_name", {});
  }

  /** Names that links give to containers: by id, as "web/db". */
  linkNames(): ReadonlyMap<string, readonly string[]> {
    const byTarget = Map.groupBy(this.#allLinks(), ({ target }) => target?.id ?? "");
    return new Map(
      [...byTarget].map(([id, links]) => [id, links.map(({ owner, alias }) => `${owner.name}/${alias}`).toSorted()]),
    );
  }

  #linked(
    name: string,
  ): { readonly owner: Container; readonly written: string; readonly target: Container } | undefined {
    const slash = name.indexOf("/");
    if (slash < 0) return undefined;
    for (const { owner, alias, written, target } of this.#allLinks())
      if (target !== undefined && name === `${owner.name}/${alias}`) return { owner, written, target };
    return undefined;
  }

  /** In the default network, as with Docker: in others a link is a matter of names there, and gives none here. */
  #allLinks(): { owner: Container; alias: string; written: string; target: Container | undefined }[] {
    return this.all().flatMap((owner) => {
      const { Links } = owner.body.HostConfig;
      const mode = Links.length === 0 ? undefined : networkModeOf(owner.body);
      if (mode?.kind !== "network" || mode.network !== DEFAULT_NETWORK) return [];
      return Links.map((written) => {
        const { reference, alias } = parseLink(written);
        const byName = this.#byName.get(reference.replace(/^\//, ""));
        return { owner, alias, written, target: this.#byId.get(byName ?? reference) };
      });
    });
  }

  /** Stops all containers in parallel, for a shutdown of the machine. @returns how many ran */
  async shutDown(): Promise<number> {
    const ends = await Promise.allSettled(this.all().map((container) => container.shutDown()));
    return ends.filter((end) => end.status === "fulfilled" && end.value).length;
  }

  /** How much disk space it takes. */
  sizeOf(container: Container): Promise<ContainerSize> {
    return measureContainer(this.#parts, container);
  }

  /**
   * Removes containers that do not run.
   *
   * @param isChosen which of them
   * @throws {OrlopError} prune_running
   */
  async prune(isChosen: (container: Container) => boolean): Promise<Pruned> {
    if (this.#isPruning) throw OrlopError.of("prune_running", {});
    this.#isPruning = true;
    try {
      const ids: string[] = [];
      let reclaimedBytes = 0;
      for (const container of this.all()) {
        if (container.isRunning || ["removing", "restarting"].includes(container.status) || !isChosen(container))
          continue;
        const { changesBytes } = await this.sizeOf(container);
        // Fails if the container was started or removed meanwhile, which is fine.
        const isGone = await container.remove(false).then(
          () => true,
          () => false,
        );
        if (!isGone) continue;
        ids.push(container.id);
        reclaimedBytes += changesBytes;
      }
      const attributes = { reclaimed: String(reclaimedBytes) };
      this.#parts.events.publish({ type: "container", action: "prune", id: "", attributes });
      return { ids, reclaimedBytes };
    } finally {
      this.#isPruning = false;
    }
  }

  /** @throws {OrlopError} no_such_exec */
  exec(id: string): Exec {
    for (const container of this.#byId.values()) {
      const found = container.execs.get(id);
      if (found !== undefined) return found;
    }
    throw OrlopError.of("no_such_exec", { id });
  }

  /** The container has been removed: its name is free again. */
  forget(container: Container): void {
    this.#byId.delete(container.id);
    if (container.isTransient) this.recentExits.add(container.id, container.run);
    if (this.#byName.get(container.name) === container.id) this.#byName.delete(container.name);
  }

  /** Synchronous, so that the second of two concurrent creates with one name fails. @returns the name, without "/" */
  #reserve(id: string, name: string): string {
    const wanted = name.startsWith("/") ? name.slice(1) : name;
    const chosen = wanted === "" ? generateName((one) => !this.#byName.has(one)) : wanted;
    if (!isName(chosen)) throw OrlopError.of("bad_container_name", { name });
    const holder = this.#byName.get(chosen);
    if (holder !== undefined) throw OrlopError.of("name_in_use", { name: chosen, id: holder });
    this.#byName.set(chosen, id);
    return chosen;
  }
}
