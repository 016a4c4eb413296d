/** Changes to a container that exists: its name, its limits. */

import { OrlopError } from "../../../base/errors.ts";
import type { ContainerCreateBody } from "../../../spec/engine-api-container.ts";
import type { ContainerUpdate } from "../../../spec/engine-api-update.ts";
import { updateHostConfig } from "../container-update.ts";
import { findBlockDevice } from "../spec-block-io.ts";
import { limitsOf } from "../spec-limits.ts";
import type { ContainerLife } from "./container-life.ts";
import type { ContainerStart } from "./start.ts";

export class ContainerChanges {
  readonly #life: ContainerLife;
  readonly #start: ContainerStart;

  constructor(life: ContainerLife, start: ContainerStart) {
    this.#life = life;
    this.#start = start;
  }

  /** @returns the old name, which the caller has to release. @throws {OrlopError} container_removing, same_name */
  rename(name: string): Promise<string> {
    const life = this.#life;
    return life.queue.run(async () => {
      const old = life.name;
      this.#refuseWhileRemoving();
      if (old === name) throw OrlopError.of("same_name", { name });
      await life.changeRecord({ name });
      await life.parts.networks.renamed(life.container);
      life.publish("rename", { oldName: `/${old}` });
      return old;
    });
  }

  /** A running container's limits change at once: all of them, or none. @throws {OrlopError} update_…, bad_value */
  update(update: ContainerUpdate): Promise<void> {
    const life = this.#life;
    return life.queue.run(async () => {
      this.#refuseWhileRemoving();
      const { HostConfig: before } = life.body;
      const HostConfig = updateHostConfig(life.id, before, update);
      const limits = (host: ContainerCreateBody["HostConfig"]) => limitsOf(host, life.parts.machine, findBlockDevice);
      const after = limits(HostConfig);
      const { isRunning } = life;
      if (isRunning) await life.group.changeLimits(limits(before), after);
      try {
        await this.#start.withdraw();
        await life.changeRecord({ body: { ...life.body, HostConfig } });
      } catch (error) {
        if (isRunning) await life.group.restoreLimits(limits(before), after);
        throw error;
      }
      life.publish("update");
    });
  }

  #refuseWhileRemoving(): void {
    const { id, name, phase } = this.#life;
    if (phase === "removing") throw OrlopError.of("container_removing", { id, name });
  }
}
