/** How a container comes back by its restart policy. */

import { point } from "../../../base/point.ts";
import type { ContainerLife } from "./container-life.ts";
import type { ContainerStart } from "./start.ts";

export class ContainerComeBack {
  readonly #life: ContainerLife;
  readonly #start: ContainerStart;
  #isUnderWay = false;

  constructor(life: ContainerLife, start: ContainerStart) {
    this.#life = life;
    this.#start = start;
  }

  /** Where it waits for that. Those that it joins or has links to, and that wait as well, come first. */
  async comeBack(): Promise<void> {
    if (this.#isUnderWay) return; // two that have each other
    this.#isUnderWay = true;
    try {
      for (const other of this.#life.parts.neededBy(this.#life.container)) await other.comeBack();
      await this.#start.startAgain();
    } finally {
      this.#isUnderWay = false;
    }
  }

  /** The machine was started since the last run. */
  async takeBoot(): Promise<void> {
    const { restarts } = this.#life;
    const after = restarts.afterBoot();
    if (after === undefined) return;
    point("container.restart.booted");
    await this.#life.change({ restarts: after });
    point("container.restart.after-boot");
    restarts.schedule();
  }
}
