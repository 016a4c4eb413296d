/** What has to be cleared away behind a container: after each run, and when the container itself is removed. */

import { settlesWithin } from "../../../base/in-time.ts";
import { point } from "../../../base/point.ts";
import type { Step } from "../../../kernel/step.ts";
import type { EngineParts } from "../../engine-parts.ts";
import type { ContainerIo } from "../container-io.ts";
import { groupPathOfRecord, type RunRecord } from "../container-record.ts";
import type { ContainerLife } from "./container-life.ts";

/** How long a removal is held back for the container's ports, should netd not answer. */
const PORTS_TIMEOUT_MS = 2000;

export class ContainerCleanup {
  readonly #life: ContainerLife;
  readonly #io: ContainerIo;
  #isHurried = false;
  #isRemoved = false;
  /** The cleanup of the last run removes the container's folders as well. */
  #includesFolders = false;

  constructor(life: ContainerLife, io: ContainerIo) {
    this.#life = life;
    this.#io = io;
  }

  /**
   * Removes the container. When this resolves, its name and its ports are free and its record is gone; files and cgroup follow in the
   * background.
   */
  async removeContainer(last: RunRecord, withVolumes = this.#life.isTransient): Promise<void> {
    const life = this.#life;
    const { parts, places, volumes } = life;
    await this.#removeRecord(!withVolumes);
    this.#isRemoved = true;
    parts.forget(life.container);
    await volumes.leave(!withVolumes);
    this.#io.dismiss(this.#io.takeWaitingClients());
    // Containers wait for a port that is being given back; the machine's other programs can only try.
    const portsReleased = parts.networks.portsReleased(life.id);
    if (portsReleased !== undefined) await settlesWithin(portsReleased, PORTS_TIMEOUT_MS);
    life.publish("destroy");
    life.waiters.notify("removed", last);
    life.waiters.notify("exit", last);
    const { cleanup } = life;
    // Should this engine die first, the next one finds the folders without a record, and clears them away.
    void parts.background(`removing what is left of ${life.id}`, async () => {
      const isMounted = life.body.HostConfig.IpcMode === "shareable";
      const clear = isMounted ? parts.clearAway : this.#sweepAway;
      if (cleanup === undefined) await this.#clearAway(places.owned, clear);
      else if ((await cleanup) && !this.#includesFolders) await parts.sweepFiles(places.owned);
    });
  }

  /** If this fails (a full disk), the container stays what it was, its error says why, and it can be removed again. */
  async #removeRecord(keepVolumes: boolean): Promise<void> {
    const life = this.#life;
    const { parts, volumes, phase } = life;
    life.phase = "removing";
    life.restarts.cancelTimer();
    point("container.remove.begun");
    try {
      const gone = { remove: { kind: "container", id: life.id } } as const;
      const store = parts.storeOf(life.record);
      if (!keepVolumes) await store.apply(gone);
      else if (life.isTransient) {
        await volumes.keep();
        await store.apply(gone);
      } else {
        await store.apply(...volumes.keeping, gone);
        volumes.kept();
      }
    } catch (error) {
      life.phase = phase;
      const reason = `it could not be removed: ${(error as Error).message}`;
      life.record = { ...life.record, run: { ...life.run, error: reason } };
      throw error;
    }
    point("container.remove.recorded");
  }

  /** What is cleared away behind a run: its cgroup, and the folders of a `--rm` container. */
  foresee(): readonly Step[] {
    const { parts, places, record, isTransient } = this.#life;
    return parts.planClearing(groupPathOfRecord(record), isTransient ? places.owned : [], this.#ownMounts());
  }

  /** Mounts that belong to one run. */
  #ownMounts(): string[] {
    const { body, places } = this.#life;
    return body.HostConfig.IpcMode === "shareable" ? [places.shm] : [];
  }

  /** Begins to clear away the last run: its networks, its cgroup, and `paths`. */
  cleanUp(paths: readonly string[] = []): void {
    const life = this.#life;
    life.cleanup = life.parts.background(`clearing ${life.id}`, () => this.#clearAway(paths));
  }

  /**
   * As `cleanUp`, but a moment later and in one plan with other containers, unless `hurry` is called. At once where something else
   * depends on it: a mount to undo, or processes that outlive the first one (PidMode).
   */
  cleanUpSoon(): void {
    const { parts, body, id, volumes } = this.#life;
    const { IpcMode, PidMode } = body.HostConfig;
    if (volumes.hasAny || IpcMode === "shareable" || PidMode !== "") {
      this.cleanUp();
      return;
    }
    this.#isHurried = false;
    this.#life.cleanup = parts.background(`clearing ${id}`, () => this.#sweepRun());
  }

  /**
   * Files go before the monitor lets its mounts go, because unmounting an overlay syncs the file system of its upper directory: if the
   * container has been removed by the time of the sweep, nothing is left there to sync.
   */
  async #sweepRun(): Promise<void> {
    const { parts, places, record, container, monitorClosed } = this.#life;
    const groupPath = groupPathOfRecord(record);
    const paths = (): readonly string[] => {
      this.#includesFolders = this.#isRemoved;
      return this.#includesFolders ? places.owned : [];
    };
    const swept = this.#isHurried ? parts.clearAway(groupPath, paths()) : parts.sweepAway(groupPath, paths);
    await Promise.all([parts.networks.detach(container), swept]);
    this.#life.releaseMonitor();
    await monitorClosed;
  }

  /** A caller waits for the cleanup: what `cleanUpSoon` has put off is done now. */
  hurry(): void {
    this.#isHurried = true;
    this.#life.parts.sweepNow();
  }

  readonly #sweepAway: EngineParts["clearAway"] = (groupPath, paths, mounts) =>
    this.#life.parts.sweepAway(groupPath, () => paths, mounts);

  /** Kills every process in the cgroup of a container whose monitor is gone. @returns false when that failed */
  killGroup(groupPath: string): Promise<boolean> {
    const { parts, id } = this.#life;
    return parts.background(`ending what runs of ${id}`, () => parts.clearAway(groupPath, []));
  }

  async #clearAway(paths: readonly string[], clear = this.#life.parts.clearAway): Promise<void> {
    const { parts, record, monitorClosed, volumes, container, isTransient, releaseMonitor } = this.#life;
    // Begun before anything is awaited: a start that wants the same ports or addresses must see that they are being released.
    const detached = parts.networks.detach(container);
    detached.catch(() => undefined); // awaited below
    if (!isTransient) releaseMonitor();
    await monitorClosed;
    await Promise.all([detached, clear(groupPathOfRecord(record), paths, this.#ownMounts())]);
    await volumes.release();
  }
}
