/** Every process of a container stands still, and goes on. */

import type { ContainerLife } from "./container-life.ts";

export class ContainerPause {
  readonly #life: ContainerLife;

  constructor(life: ContainerLife) {
    this.#life = life;
  }

  /** @throws {OrlopError} container_…, pause_failed */
  pause(): Promise<void> {
    const life = this.#life;
    return life.queue.run(async () => {
      life.mustAct("pause");
      try {
        await life.group.freeze();
      } catch (error) {
        life.mustAct("pause"); // it may have ended meanwhile, and its group with it
        throw error;
      }
      if (!life.isRunning) {
        await this.thaw(); // it has ended right behind that
        life.mustAct("pause");
      }
      life.isPaused = true;
      life.tell("pause");
      if (life.mustEnd) await this.thaw();
    });
  }

  /** @throws {OrlopError} container_not_paused */
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
      if (life.isRunning && !life.mustEnd) throw error; // else its group may be gone
    }
    if (!life.isPaused) return;
    life.isPaused = false;
    life.tell("unpause");
  }
}
