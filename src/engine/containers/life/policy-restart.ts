/** Restarts by the container's restart policy: after an end, and after a boot of the machine. */

import { point } from "../../../base/point.ts";
import type { ContainerLife } from "./container-life.ts";
import type { ContainerStart } from "./start.ts";

export class PolicyRestart {
  readonly #life: ContainerLife;
  readonly #start: ContainerStart;
  #isUnderWay = false;

  constructor(life: ContainerLife, start: ContainerStart) {
    this.#life = life;
    this.#start = start;
  }

  /**
   * Starts the container if it waits for a restart. Containers whose namespaces it joins, or which it has links to, are started
   * before it if they wait for a restart too.
   */
  async restartIfWaiting(): Promise<void> {
    if (this.#isUnderWay) return; // two containers that have links to each other
    this.#isUnderWay = true;
    try {
      for (const other of this.#life.parts.neededBy(this.#life.container)) await other.restartIfWaiting();
      await this.#start.startIfWaiting();
    } finally {
      this.#isUnderWay = false;
    }
  }

  /** Called at the first engine start after a boot: schedules a restart where the policy asks for one. */
  async restartAfterBoot(): Promise<void> {
    const { restarts } = this.#life;
    const after = restarts.afterBoot();
    if (after === undefined) return;
    point("container.restart.booted");
    await this.#life.changeRecord({ restarts: after });
    point("container.restart.after-boot");
    restarts.schedule();
  }
}
