/**
 * What a start has ready before it is asked for, and how its process is spawned from that: a plan made at create, a `--rm`
 * container's process that waits at its gate (`ExpectedStart`), the beginning of a plan carried out ahead (`ReadyStart`).
 */

import { mkdirSync, rmSync } from "node:fs";
import { point } from "../../../base/point.ts";
import type { Step } from "../../../kernel/step.ts";
import { planStart, type StartPlan } from "../container-plan.ts";
import { ContainerProcess } from "../container-process.ts";
import { ExpectedStart } from "../expected-start.ts";
import type { ReadyStart } from "../ready-start.ts";
import type { ContainerLife } from "./container-life.ts";

/** A plan made at create is used for this long: later the machine's mounts may have changed. */
const PLAN_LIFETIME_MS = 1000;

export class PreparedStart {
  readonly #life: ContainerLife;
  /** Made by this engine and never started: its folders exist, and are empty. */
  isFresh = false;
  #plan: { readonly plan: StartPlan; readonly madeMs: number } | undefined;
  #expected: ExpectedStart | undefined;
  #ready: ReadyStart | undefined;

  /** @param plan made at create, for a start that follows at once. @param ready begun before the container was made */
  constructor(life: ContainerLife, plan?: StartPlan, ready?: ReadyStart) {
    this.#life = life;
    this.#ready = ready;
    if (plan !== undefined) this.#plan = { plan, madeMs: performance.now() };
  }

  /** The `ReadyStart` has made the container's folders already. */
  get hasFolders(): boolean {
    return this.#ready !== undefined;
  }

  get expected(): ExpectedStart | undefined {
    return this.#expected;
  }

  takeExpected(): ExpectedStart | undefined {
    const expected = this.#expected;
    this.#expected = undefined;
    return expected;
  }

  /** Begins the start that the client of a new `--rm` container is about to ask for; undefined where there is none to begin. */
  begin(): ExpectedStart | undefined {
    const life = this.#life;
    const plan = this.#plan?.plan;
    // Volumes would have to be mounted first.
    if (!life.isTransient || !this.isFresh || plan === undefined || life.volumes.hasAny) return undefined;
    this.#plan = undefined;
    this.isFresh = false;
    point("container.start.planned");
    this.#expected = new ExpectedStart(plan, this.#spawn(plan, true));
    return this.#expected;
  }

  /** To be called when a start would have another plan from now on. */
  forgetPlan(): void {
    this.#plan = undefined;
  }

  /** The plan that was made at create, while it is valid; else a new one. */
  takePlan(): StartPlan {
    const { id, record, parts, container } = this.#life;
    const made = this.#plan;
    this.#plan = undefined;
    if (made !== undefined && performance.now() - made.madeMs < PLAN_LIFETIME_MS) return made.plan;
    return planStart(id, record, parts, parts.donationsFor(container));
  }

  /** @param atGate the process is to wait at its gate */
  spawn(plan: StartPlan, atGate: boolean): Promise<ContainerProcess> {
    const { places } = this.#life;
    if (!this.isFresh) {
      rmSync(places.exitRecord, { force: true });
      mkdirSync(places.runDir, { recursive: true, mode: 0o700 }); // a reboot empties /run
    }
    this.isFresh = false;
    point("container.start.planned");
    return this.#spawn(plan, atGate);
  }

  async #spawn(plan: StartPlan, atGate: boolean): Promise<ContainerProcess> {
    const { parts, places, container } = this.#life;
    const ready = this.#ready;
    this.#ready = undefined;
    if (ready !== undefined) {
      const process = await this.#finish(ready, plan);
      if (process !== undefined) return process;
      await parts.networks.detach(container);
      await parts.clearAway(plan.groupPath, [places.layers]); // a volatile overlay's directories can be mounted only once
    }
    const network = await parts.networks.attach(container);
    const spawn = atGate ? ContainerProcess.spawn : ContainerProcess.spawnThrough;
    // The plan's own array where nothing precedes it: the executor may have its encoding cached.
    return spawn(parts.executor, network.length === 0 ? plan.steps : [...network, ...plan.steps], places.socket);
  }

  /** undefined when the process that was ready has ended meanwhile. */
  async #finish(ready: ReadyStart, plan: StartPlan): Promise<ContainerProcess | undefined> {
    const { parts, places, container } = this.#life;
    let network: readonly Step[];
    try {
      network = await parts.networks.attach(container, ready.network);
    } catch (error) {
      await ready.withdraw();
      throw error;
    }
    return ContainerProcess.finish(parts.executor, ready.finish(plan.steps, network), places.socket);
  }
}
