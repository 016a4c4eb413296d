/** The operation `remove`: ends the container first where that was asked for, then removes it. */

import type { ContainerCleanup } from "./cleanup.ts";
import type { ContainerLife } from "./container-life.ts";
import type { ContainerStart } from "./start.ts";
import type { ContainerStop } from "./stop.ts";

export class ContainerRemoval {
  readonly #life: ContainerLife;
  readonly #parts: { readonly start: ContainerStart; readonly stop: ContainerStop; readonly cleanup: ContainerCleanup };

  constructor(
    life: ContainerLife,
    parts: { readonly start: ContainerStart; readonly stop: ContainerStop; readonly cleanup: ContainerCleanup },
  ) {
    this.#life = life;
    this.#parts = parts;
  }

  /** As `Container.remove`. */
  async remove(force: boolean, withVolumes: boolean): Promise<void> {
    const life = this.#life;
    const { start, stop, cleanup } = this.#parts;
    if (force) await stop.forbidRestart();
    if (force && (await this.#kill())) return;
    await life.queue.run(async () => {
      if (force && (await this.#kill())) return; // a start that was queued before this has begun another run
      life.mustAct("remove");
      if (!life.isTransient) await life.ended; // the end and the removal may be synced together: `die` is published first
      await start.withdraw();
      await cleanup.removeContainer(life.run, withVolumes);
    });
  }

  /** @returns true when the end of its program has removed the container already (`--rm`) */
  async #kill(): Promise<boolean> {
    if (!this.#life.isRunning) return false;
    await this.#parts.stop.killAndWait("remove");
    return this.#life.isTransient;
  }
}
