/** All volumes: creating, finding, removing and pruning them. Which containers use one is known from the containers' records. */

import { OrlopError } from "../../base/errors.ts";
import { log } from "../../base/log.ts";
import { point } from "../../base/point.ts";
import type { Step } from "../../kernel/step.ts";
import { checkVolumeName, checkVolumeOptions, isMounted, type VolumeOptions } from "../../storage/local-volume.ts";
import type { Change, RecordStore, Row } from "../../store/rows.ts";
import type { EngineParts } from "../engine-parts.ts";
import type { MountPoint } from "../mounts/mount-point.ts";
import { Volume } from "./volume.ts";
import { VolumeDirectories } from "./volume-directories.ts";
import { decodeVolume, encodeVolume, type VolumeRecord } from "./volume-record.ts";

export interface VolumeRequest {
  /** "": a generated name. */
  readonly name: string;
  /** "": local, the only driver. */
  readonly driver: string;
  readonly options: VolumeOptions | null;
  readonly labels: Readonly<Record<string, string>> | null;
  /** An anonymous volume for this container. */
  readonly madeFor?: string;
}

export class Volumes {
  readonly directories: VolumeDirectories;
  readonly #parts: EngineParts;
  readonly #store: RecordStore;
  readonly #byName = new Map<string, Volume>();

  constructor(parts: EngineParts, store: RecordStore) {
    this.#parts = parts;
    this.#store = store;
    this.directories = new VolumeDirectories(parts.places);
  }

  /** Oldest first. */
  all(): Volume[] {
    return [...this.#byName.values()].filter((volume) => volume.state === "ready");
  }

  /** @throws {OrlopError} no_such_volume */
  get(name: string): Volume {
    const volume = this.#byName.get(name);
    if (volume?.state !== "ready") throw OrlopError.of("no_such_volume", { name });
    return volume;
  }

  /** Includes volumes that are being created or removed. */
  find(name: string): Volume | undefined {
    return this.#byName.get(name);
  }

  /** @throws {OrlopError} bad_volume, volume_driver_unknown; nothing is created then */
  check({ name, driver, options }: VolumeRequest): void {
    if (driver !== "" && driver !== "local") throw OrlopError.of("volume_driver_unknown", { name, driver });
    if (name !== "") checkVolumeName(name);
    checkVolumeOptions(name, options);
  }

  /**
   * Creates a volume; if one of this name exists, returns that, as Docker does. It is on the disk when this settles.
   *
   * @param container a container that will use it: from this moment the volume cannot be removed
   */
  async create(request: VolumeRequest, container?: string): Promise<Volume> {
    this.check(request);
    const name = request.name === "" ? inventVolumeName() : request.name;
    for (;;) {
      const found = this.#byName.get(name);
      if (found === undefined) await this.#make({ ...request, name }, request.name === "");
      else if (found.state !== "ready") await found.settled;
      else {
        if (container !== undefined) found.references.add(container);
        return found;
      }
    }
  }

  async #make(request: VolumeRequest, isUnnamed = false): Promise<void> {
    const { name, labels, options, madeFor } = request;
    const record: VolumeRecord = {
      name,
      createdNs: String(BigInt(Date.now()) * 1_000_000n),
      labels,
      options,
      anonymous: isUnnamed || madeFor !== undefined,
      ...(madeFor === undefined ? {} : { madeFor }),
    };
    const volume = new Volume(record, this.directories.pathOf(name), this.#parts.executor);
    const settled = Promise.withResolvers<void>();
    volume.state = "making";
    volume.settled = settled.promise;
    this.#byName.set(name, volume);
    try {
      await this.directories.make(name);
      point("volume.create.directory");
      await this.#store.apply({ put: encodeVolume(record) });
      point("volume.create.recorded");
      volume.state = "ready";
      this.#publish("create", name);
    } catch (error) {
      this.#byName.delete(name);
      throw error;
    } finally {
      settled.resolve();
    }
  }

  /** @throws {OrlopError} no_such_volume (not with force), volume_in_use */
  async remove(name: string, force = false): Promise<void> {
    const volume = this.#byName.get(name);
    if (volume === undefined || volume.state === "removing") {
      if (force) return;
      throw OrlopError.of("no_such_volume", { name });
    }
    await volume.settled;
    if (volume.references.size > 0)
      throw OrlopError.of("volume_in_use", { name, containers: [...volume.references].join(", ") });
    if (volume.state !== "ready") return this.remove(name, force);
    await this.#discard(volume);
  }

  /** When this settles, the name is free; the data is removed in the background. */
  async #discard(volume: Volume): Promise<void> {
    const settled = Promise.withResolvers<void>();
    volume.state = "removing";
    volume.settled = settled.promise;
    let gone: string | undefined;
    try {
      await volume.unmount();
      gone = await this.directories.retire(volume.name);
      point("volume.remove.retired");
      await this.#store.apply({ remove: { kind: "volume", id: volume.name } });
      point("volume.remove.recorded");
      this.#byName.delete(volume.name);
      this.#publish("destroy", volume.name);
      const data = gone;
      if (data !== undefined)
        void this.#parts.background(`removing the data of volume ${volume.name}`, () =>
          this.#parts.removeFiles([data]),
        );
    } catch (error) {
      if (gone !== undefined) this.directories.bringBack(volume.name, gone);
      volume.state = "ready";
      throw error;
    } finally {
      settled.resolve();
    }
  }

  /** Removes those that no container refers to. @returns their names, and the bytes that were freed */
  async prune(chosen: (volume: Volume) => boolean): Promise<{ readonly names: string[]; readonly bytes: number }> {
    const names: string[] = [];
    let bytes = 0;
    for (const volume of this.all().filter(chosen)) {
      if (volume.references.size > 0 || volume.state !== "ready") continue;
      const size = await this.measure(volume);
      if (volume.references.size > 0 || volume.state !== "ready") continue;
      await this.#discard(volume);
      names.push(volume.name);
      bytes += size;
    }
    this.#parts.events.publish({ type: "volume", action: "prune", id: "", attributes: { reclaimed: String(bytes) } });
    return { names, bytes };
  }

  #publish(action: string, id: string, more: Readonly<Record<string, string>> = {}): void {
    this.#parts.events.publish({ type: "volume", action, id, attributes: { driver: "local", ...more } });
  }

  /** Docker's events about a container's volumes. */
  publishMounts(action: "mount" | "unmount", container: string, points: readonly MountPoint[]): void {
    for (const point of points) {
      if (point.type !== "volume") continue;
      const { destination, readonly } = point;
      const place = { destination, "read/write": String(!readonly), propagation: "" };
      this.#publish(action, point.name, { container, ...(action === "mount" ? place : {}) });
    }
  }

  /** The bytes of its files. */
  async measure(volume: Volume): Promise<number> {
    const plan = [{ op: "usage", paths: [volume.path], why: "how much a volume holds" }] as const;
    const values = await this.#parts.executor.run(plan);
    return Number(new TextDecoder().decode(values.get(0)));
  }

  // ── for containers ───────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Called when a container was removed, or was not created after all.
   *
   * @param anonymous names of volumes to remove with it, unless another container uses them
   */
  async forget(container: string, anonymous: readonly string[]): Promise<void> {
    for (const volume of this.#byName.values()) volume.references.delete(container);
    for (const name of anonymous) {
      const volume = this.#byName.get(name);
      if (volume?.state === "ready" && volume.references.size === 0) await this.#discard(volume);
    }
  }

  /** Before a container is removed whose anonymous volumes are kept: the store changes that make them independent of it. */
  keeping(names: readonly string[]): Change[] {
    return this.#ownedOf(names).map((volume) => ({ put: encodeVolume(withoutOwner(volume.record)) }));
  }

  /** `keeping` has been applied. */
  kept(names: readonly string[]): void {
    for (const volume of this.#ownedOf(names)) volume.record = withoutOwner(volume.record);
  }

  /** Both in one, for a container whose own record is in another store. */
  async keep(names: readonly string[]): Promise<void> {
    const changes = this.keeping(names);
    if (changes.length > 0) await this.#store.apply(...changes);
    this.kept(names);
  }

  #ownedOf(names: readonly string[]): Volume[] {
    return names.flatMap((name) => this.#byName.get(name) ?? []).filter(({ record }) => record.madeFor !== undefined);
  }

  /** Steps that mount volumes that are not in use, by their options, in the mount namespace of one task. */
  async planViewMounts(names: readonly string[]): Promise<Step[]> {
    const volumes = names.flatMap((name) => this.#byName.get(name) ?? []);
    const wanted = volumes.filter((volume) => !volume.isUsed && isMounted(volume.record.options));
    return (await Promise.all(wanted.map((volume) => volume.planMount()))).flat();
  }

  // ── at the engine's start ────────────────────────────────────────────────────────────────────────────────────────

  /** Loads the records. Must come before the containers are restored, which refer to volumes. */
  restore(rows: readonly Row[]): void {
    for (const record of rows.map(decodeVolume))
      this.#byName.set(record.name, new Volume(record, this.directories.pathOf(record.name), this.#parts.executor));
  }

  /** Compares the records with the directories, when every container is known, and finishes what was half done. */
  async reconcile(isContainer: (id: string) => boolean): Promise<void> {
    const leftovers = this.directories.leftovers();
    const retired = leftovers.some((path) => path.includes("/.gone-"));
    for (const volume of [...this.#byName.values()]) {
      const { name, record } = volume;
      const isOrphan = record.madeFor !== undefined && !isContainer(record.madeFor) && volume.references.size === 0;
      if (isOrphan || (retired && !this.directories.has(name) && volume.references.size === 0)) {
        await this.#discard(volume);
        continue;
      }
      if (!this.directories.has(name)) {
        log("warn", `the data of volume ${name} is gone: it is empty now`);
        await this.directories.make(name);
      }
      if (!volume.isUsed) await volume.unmount();
    }
    for (const name of this.directories.list()) if (!this.#byName.has(name)) await this.#adoptStray(name);
    if (leftovers.length > 0)
      void this.#parts.background("removing what was left of volumes", () => this.#parts.removeFiles(leftovers));
  }

  /** A directory without a record, from a create that was not acknowledged. If there is data in it, it is kept. */
  async #adoptStray(name: string): Promise<void> {
    if (await this.directories.removeEmpty(name)) return;
    log("warn", `there is data of a volume ${name} that nothing is written down of: it is a volume again`);
    await this.#make({ name, driver: "local", options: null, labels: null });
  }
}

function withoutOwner({ madeFor: _, ...record }: VolumeRecord): VolumeRecord {
  return record;
}

/** A generated name, in Docker's form. */
export function inventVolumeName(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}
