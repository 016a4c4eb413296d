/** The sandboxes of running containers. The changes of each come one after the other, its release last. */

import { Serial } from "../../base/serial.ts";
import type { Network } from "./network.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

export class LiveSandboxes {
  readonly #networkOf: (id: string) => Network | undefined;
  readonly #live = new Map<string, SandboxRecord>();
  /** What ended containers still hold, and will not soon. */
  readonly #releases = new Map<string, Promise<void>>();
  /** As a change that was under way when its container ended has left them. */
  readonly #leaving = new Map<string, SandboxRecord>();
  /** One change of a container's networks after the other, its release last. */
  readonly #changes = new Map<string, Serial>();

  /** @param networkOf undefined for one that is gone */
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

  /** Of containers that have ended. */
  get releases(): readonly Promise<void>[] {
    return [...this.#releases.values()];
  }

  /** undefined when the container holds nothing, or runs. */
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

  /** Of one that has ended, or has no networks, there is nothing to change. */
  change(containerId: string, work: (record: SandboxRecord) => Promise<void>): Promise<void> {
    return this.#changesOf(containerId).run(async () => {
      const record = this.#live.get(containerId);
      if (record !== undefined) await work(record);
    });
  }

  /** @returns whether the container still runs: else its release, which waits for this, goes by what is noted */
  note(containerId: string, record: SandboxRecord): boolean {
    if (this.#live.has(containerId)) this.keep(containerId, record);
    else this.#leaving.set(containerId, record);
    return this.#live.has(containerId);
  }

  /**
   * The container has ended.
   *
   * @param release after the changes that are under way; it gives back what they have left
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
