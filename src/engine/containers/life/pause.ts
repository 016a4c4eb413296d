/** Pausing a container (its cgroup is frozen) and resuming it. */

import type { ContainerLife } from "./container-life.ts";

export class ContainerPause {
  readonly #life: ContainerLife;

  constructor(life: ContainerLife) {
    this.#life = life;
  }

  /** As `Container.pause`. */
  pause(): Promise<void> {
    const life = this.#life;
    return life.queue.run(async () => {
      life.mustAct("pause");
      try {
        await life.group.freeze();
      } catch (error) {
        life.mustAct("pause"); // if it ended meanwhile, and its cgroup with it, that is the error to report
        throw error;
      }
      if (!life.isRunning) {
        await this.thaw(); // its program ended just before the freeze
        life.mustAct("pause");
      }
      life.isPaused = true;
      life.publish("pause");
      if (life.isKillRequested) await this.thaw();
    });
  }

  /** As `Container.unpause`. */
  unpause(): Promise<void> {
    return this.#life.queue.run(async () => {
      this.#life.mustAct("unpause");
      await this.thaw();
    });
  }

  async thaw(): Promise<void> {
    const life = this.#life;
    try {
      await life.group.thaw();
    } catch (error) {
      if (life.isRunning && !life.isKillRequested) throw error; // otherwise the cgroup may be gone already
    }
    if (!life.isPaused) return;
    life.isPaused = false;
    life.publish("unpause");
  }
}
