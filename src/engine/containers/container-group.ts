/** A running container's cgroup: freezing, thawing, changing its limits. */

import { OrlopError } from "../../base/errors.ts";
import { planLimitChange } from "../../kernel/cgroup/change.ts";
import { isFrozen, planFreeze, planThaw } from "../../kernel/cgroup/freeze.ts";
import type { CgroupLimits } from "../../kernel/cgroup/limits.ts";
import type { Step } from "../../kernel/step.ts";
import type { EngineParts } from "../engine-parts.ts";
import { readText } from "../machine.ts";

export class ContainerGroup {
  readonly #parts: EngineParts;
  readonly #id: string;
  readonly path: string;

  constructor(parts: EngineParts, id: string, path: string) {
    this.#parts = parts;
    this.#id = id;
    this.path = path;
  }

  isFrozen(): boolean {
    return isFrozen(this.#parts.machine.cgroups, this.path, readText);
  }

  /** Freezes all of the cgroup, or leaves it thawed. @throws {OrlopError} pause_failed */
  async freeze(): Promise<void> {
    try {
      await this.#parts.executor.run(this.foresee().freeze);
    } catch (error) {
      await this.thaw().catch(() => undefined); // fails too if the program has ended, because the cgroup is gone
      if (error instanceof OrlopError) throw error;
      throw OrlopError.of("pause_failed", { id: this.#id, reason: (error as Error).message }, error);
    }
  }

  async thaw(): Promise<void> {
    await this.#parts.executor.run(this.foresee().thaw);
  }

  /** What `freeze` and `thaw` do. */
  foresee(): { readonly freeze: Step[]; readonly thaw: Step[] } {
    const { cgroups } = this.#parts.machine;
    return { freeze: planFreeze(cgroups, this.path), thaw: planThaw(cgroups, this.path) };
  }

  /** Changes all limits, or none. @throws {OrlopError} update_failed, limit_unsupported, executor_lost */
  async changeLimits(before: CgroupLimits, after: CgroupLimits): Promise<void> {
    const steps = this.#planChange(before, after);
    try {
      if (steps.length > 0) await this.#parts.executor.run(steps);
    } catch (error) {
      await this.restoreLimits(before, after);
      // The task was killed: no limit was refused, and which ones were written is not known.
      if (error instanceof OrlopError && error.code === "executor_lost") throw error;
      throw OrlopError.of("update_failed", { id: this.#id, reason: (error as Error).message }, error);
    }
  }

  /** Undoes a change. One by one, because some of these writes may be refused as well. */
  async restoreLimits(before: CgroupLimits, after: CgroupLimits): Promise<void> {
    for (const step of this.#planChange(after, before)) await this.#parts.executor.run([step]).catch(() => undefined);
  }

  #planChange(from: CgroupLimits, to: CgroupLimits): Step[] {
    return planLimitChange(this.#parts.machine.cgroups, this.path, from, to);
  }
}
