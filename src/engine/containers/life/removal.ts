/** What a container leaves behind: of a run, and when it goes for good. */

import { point } from "../../../base/point.ts";
import type { EngineParts } from "../../engine-parts.ts";
import type { ContainerIo } from "../container-io.ts";
import { groupPathOfRecord, type RunRecord } from "../container-record.ts";
import type { ContainerLife } from "./container-life.ts";

export class ContainerRemoval {
  readonly #life: ContainerLife;
  readonly #io: ContainerIo;
  #isHurried = false;
  #isRemoved = false;
  /** What goes after the last run takes its folders too. */
  #takesFolders = false;

  constructor(life: ContainerLife, io: ContainerIo) {
    this.#life = life;
    this.#io = io;
  }

  /** The name is free and the record gone when this resolves; the files follow. */
  async vanish(last: RunRecord, withVolumes = this.#life.isTransient): Promise<void> {
    const life = this.#life;
    const { parts, places, volumes } = life;
    await this.#forgetRecord(!withVolumes);
    this.#isRemoved = true;
    parts.forget(life.container);
    await volumes.leave(!withVolumes);
    this.#io.dismiss(this.#io.takeArrivals());
    life.tell("destroy");
    life.waiters.tell("removed", last);
    life.waiters.tell("exit", last);
    const { cleared } = life;
    // As long as the folders are there, the next engine knows that something is left, and clears it away.
    void parts.background(`removing what is left of ${life.id}`, async () => {
      const isMounted = life.body.HostConfig.IpcMode === "shareable";
      const clear = isMounted ? parts.clearAway : this.#sweepAway;
      if (cleared === undefined) await this.#clearAway(places.owned, clear);
      else if ((await cleared) && !this.#takesFolders) await parts.sweepFiles(places.owned);
    });
  }

  /** Where that fails (a full disk), the container is what it was before, says why, and can be removed again. */
  async #forgetRecord(keepVolumes: boolean): Promise<void> {
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

  /** Of the last run: its networks, its group, and these folders. */
  clear(paths: readonly string[] = []): void {
    const life = this.#life;
    life.cleared = life.parts.background(`clearing ${life.id}`, () => this.#clearAway(paths));
  }

  /**
   * As `clear`; where nothing else hangs on it (a mount, a process that outlives the first one), a moment later, with what others
   * leave by then, unless somebody hurries it.
   */
  clearSoon(): void {
    const { parts, body, id, volumes } = this.#life;
    const { IpcMode, PidMode } = body.HostConfig;
    if (volumes.areAny || IpcMode === "shareable" || PidMode !== "") {
      this.clear();
      return;
    }
    this.#isHurried = false;
    this.#life.cleared = parts.background(`clearing ${id}`, () => this.#sweepRun());
  }

  /**
   * Before its mounts go: taken apart, they sync the file system that its changes are on. Where it was removed by the time of the sweep,
   * nothing of those is left by then.
   */
  async #sweepRun(): Promise<void> {
    const { parts, places, record, container, left } = this.#life;
    const groupPath = groupPathOfRecord(record);
    const paths = (): readonly string[] => {
      this.#takesFolders = this.#isRemoved;
      return this.#takesFolders ? places.owned : [];
    };
    const swept = this.#isHurried ? parts.clearAway(groupPath, paths()) : parts.sweepAway(groupPath, paths);
    await Promise.all([parts.networks.detach(container), swept]);
    this.#life.letGo();
    await left;
  }

  /** Somebody waits for what is to be cleared. */
  hurry(): void {
    this.#isHurried = true;
    this.#life.parts.sweepNow();
  }

  readonly #sweepAway: EngineParts["clearAway"] = (groupPath, paths, mounts) =>
    this.#life.parts.sweepAway(groupPath, () => paths, mounts);

  /** Whatever still runs in a group whose monitor is gone. */
  endGroup(groupPath: string): Promise<boolean> {
    const { parts, id } = this.#life;
    return parts.background(`ending what runs of ${id}`, () => parts.clearAway(groupPath, []));
  }

  async #clearAway(paths: readonly string[], clear = this.#life.parts.clearAway): Promise<void> {
    const { parts, places, body, record, left, volumes, container, isTransient, letGo } = this.#life;
    // At once, so that who wants its ports and addresses next knows that they are on their way.
    const detached = parts.networks.detach(container);
    detached.catch(() => undefined); // told below
    if (!isTransient) letGo();
    await left;
    const shared = body.HostConfig.IpcMode === "shareable" ? [places.shm] : [];
    await Promise.all([detached, clear(groupPathOfRecord(record), paths, shared)]);
    await volumes.release();
  }
}
