/** The sandboxes of running containers. Changes to one are serialised, and its release comes last. */

import { Serial } from "../../base/serial.ts";
import type { Network } from "./network.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

export class LiveSandboxes {
  readonly #networkOf: (id: string) => Network | undefined;
  readonly #live = new Map<string, SandboxRecord>();
  /** By the id of a container that has ended: the release of its sandbox, while it is under way. */
  readonly #releases = new Map<string, Promise<void>>();
  /** By the same: the record as the last change left it. */
  readonly #leaving = new Map<string, SandboxRecord>();
  /** By container id: the queue of changes, with the release as the last. */
  readonly #changes = new Map<string, Serial>();

  /** @param networkOf returns undefined for a network that has been removed */
  constructor(networkOf: (id: string) => Network | undefined) {
    this.#networkOf = networkOf;
  }

  of(containerId: string): SandboxRecord | undefined {
    return this.#live.get(containerId);
  }

  get containerIds(): readonly string[] {
    return [...this.#live.keys()];
  }

  get records(): readonly SandboxRecord[] {
    return [...this.#live.values()];
  }

  get isEmpty(): boolean {
    return this.#live.size === 0 && this.#releases.size === 0;
  }

  /** The releases that are under way. */
  get releases(): readonly Promise<void>[] {
    return [...this.#releases.values()];
  }

  /** undefined when the container runs, or has nothing left to release. */
  releaseOf(containerId: string): Promise<void> | undefined {
    return this.#releases.get(containerId);
  }

  keep(containerId: string, record: SandboxRecord): void {
    this.#live.set(containerId, record);
    for (const { networkId } of record.endpoints) this.#networkOf(networkId)?.members.add(containerId);
  }

  #changesOf(containerId: string): Serial {
    const changes = this.#changes.get(containerId) ?? new Serial();
    this.#changes.set(containerId, changes);
    return changes;
  }

  /** Runs `work` in the container's queue; does nothing for a container that has ended, or has no networks. */
  change(containerId: string, work: (record: SandboxRecord) => Promise<void>): Promise<void> {
    return this.#changesOf(containerId).run(async () => {
      const record = this.#live.get(containerId);
      if (record !== undefined) await work(record);
    });
  }

  /** Records the sandbox after a change. @returns false if the container has ended: its release, which is next in the queue, uses this record */
  update(containerId: string, record: SandboxRecord): boolean {
    if (this.#live.has(containerId)) this.keep(containerId, record);
    else this.#leaving.set(containerId, record);
    return this.#live.has(containerId);
  }

  /**
   * Called when the container has ended.
   *
   * @param release is called after the changes that are under way, with the record as they left it
   */
  end(containerId: string, record: SandboxRecord, release: (record: SandboxRecord) => Promise<void>): Promise<void> {
    this.#live.delete(containerId);
    for (const { networkId } of record.endpoints) this.#networkOf(networkId)?.members.delete(containerId);
    this.#leaving.set(containerId, record);
    const released = this.#changesOf(containerId)
      .run(() => release(this.#leaving.get(containerId) ?? record))
      .finally(() => {
        for (const known of [this.#releases, this.#leaving, this.#changes]) known.delete(containerId);
      });
    this.#releases.set(containerId, released);
    return released;
  }
}
