/** A container's starts: made ready, begun ahead for a client that is about to ask, begun when it asks. */

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import type { OrlopError } from "../../../base/errors.ts";
import { settlesWithin } from "../../../base/in-time.ts";
import { log } from "../../../base/log.ts";
import { point } from "../../../base/point.ts";
import { isEnding } from "../../../kernel/process-facts.ts";
import type { Step } from "../../../kernel/step.ts";
import { readText } from "../../machine.ts";
import { networkModeOf } from "../../networks/network-mode.ts";
import { GROUP_FILE } from "../../places.ts";
import type { ContainerExecs } from "../container-execs.ts";
import type { ContainerHealth } from "../container-health.ts";
import type { ContainerIo } from "../container-io.ts";
import { planStart, type StartPlan } from "../container-plan.ts";
import { ContainerProcess } from "../container-process.ts";
import { groupPathOfRecord, neverRun } from "../container-record.ts";
import { ExpectedStart } from "../expected-start.ts";
import type { ReadyStart } from "../ready-start.ts";
import { noRestarts } from "../restart-policy.ts";
import { explainFailure, isPassing } from "../start-failure.ts";
import type { ContainerLife } from "./container-life.ts";
import type { ContainerRemoval } from "./removal.ts";
import type { ContainerRun } from "./run.ts";
import { PATIENCE_MS, unkillable } from "./stop.ts";

/** So long a plan is good: the machine's mounts may be others a while later. */
const PLAN_MS = 1000;

/** Whom a start concerns. */
export interface StartParts {
  readonly io: ContainerIo;
  readonly execs: ContainerExecs;
  readonly health: ContainerHealth;
  readonly run: ContainerRun;
  readonly removal: ContainerRemoval;
}

export class ContainerStart {
  readonly #life: ContainerLife;
  readonly #its: StartParts;
  /** Made by this engine and never started: its folders are there, and nothing is in them. */
  #isFresh = false;
  /** Made at create, for a start that follows at once. */
  #plan: { readonly plan: StartPlan; readonly madeMs: number } | undefined;
  #expected: ExpectedStart | undefined;
  /** Its start has begun before it was made. */
  #ready: ReadyStart | undefined;

  constructor(life: ContainerLife, its: StartParts, plan?: StartPlan, ready?: ReadyStart) {
    this.#life = life;
    this.#its = its;
    this.#ready = ready;
    if (plan !== undefined) this.#plan = { plan, madeMs: performance.now() };
  }

  /** Makes the folders and writes the record: afterwards the container exists. */
  async establish(): Promise<void> {
    const life = this.#life;
    const { places, body } = life;
    if (this.#ready === undefined)
      for (const folder of [places.runDir, places.files]) mkdirSync(folder, { mode: 0o700 });
    if (body.HostConfig.CgroupParent !== "")
      writeFileSync(`${places.runDir}/${GROUP_FILE}`, groupPathOfRecord(life.record));
    point("container.create.directories");
    this.#isFresh = true;
    life.cleared = Promise.resolve(true);
    if (networkModeOf(body).kind !== "network") this.expect(); // a network is told of containers that exist
    try {
      await life.store();
    } catch (error) {
      await this.withdraw();
      throw error;
    }
    point("container.create.recorded");
    life.tell("create");
  }

  /** @returns false when it runs already */
  start(): Promise<boolean> {
    return this.#life.queue.run(() => this.startInTurn());
  }

  /** `start`, for one whose turn it is in the queue. */
  async startInTurn(): Promise<boolean> {
    const life = this.#life;
    await this.#letEnd();
    if (!life.mustAct("start")) {
      // A stop or removal may have been cut off behind saying so: its restart policy counts again.
      if (life.restarts.state.isStopped) await life.change(life.withRestarts({ isStopped: false }));
      return false;
    }
    life.restarts.cancelTimer();
    if (life.record.restarts !== undefined) life.record = { ...life.record, restarts: noRestarts };
    await this.#startNow();
    return true;
  }

  /**
   * One that was killed does not run, though its end is not told yet. An engine that has died may have killed it, and nobody knows.
   * @throws {OrlopError} unkillable
   */
  async #letEnd(): Promise<void> {
    const life = this.#life;
    const directory = `/proc/${life.run.pid}`;
    if (!life.isRunning || life.isPaused) return;
    const isKilled =
      life.mustEnd || isEnding(readText(`${directory}/stat`) ?? "", readText(`${directory}/status`) ?? "");
    if (isKilled && !(await settlesWithin(life.ended, PATIENCE_MS)))
      throw await unkillable(life, "start", "what ran before has not ended");
  }

  /** By its restart policy, unless it was stopped, started or removed meanwhile. A start that fails ends the restarting, unless it may succeed later. */
  startAgain(): Promise<void> {
    const life = this.#life;
    return life.queue.run(async () => {
      if (life.status !== "restarting") return;
      point("container.restart.due");
      try {
        await this.#startNow();
      } catch (error) {
        log("warn", `container ${life.id} could not be started again`, error); // it is written down
      }
    });
  }

  async #startNow(): Promise<void> {
    const life = this.#life;
    const expected = this.#expected;
    this.#expected = undefined;
    let plan = expected?.plan;
    try {
      await life.mustBeKnown();
      this.#its.removal.hurry();
      if (life.cleared !== undefined && !(await settlesWithin(life.cleared, PATIENCE_MS)))
        throw await unkillable(life, "start", "what ran before has not ended");
      plan ??= this.#takePlan();
      await this.#launch(plan, expected);
    } catch (failure) {
      throw await this.#failed(failure, plan);
    }
  }

  /** Begins what the client of a new `--rm` container is about to ask for. */
  expect(): void {
    const life = this.#life;
    const plan = this.#plan?.plan;
    // Volumes are mounted first.
    if (!life.isTransient || !this.#isFresh || plan === undefined || life.volumes.areAny) return;
    this.#plan = undefined;
    this.#isFresh = false;
    point("container.start.planned");
    const expected = new ExpectedStart(plan, this.#spawn(plan, true));
    this.#expected = expected;
    void life.parts.background(`expecting the start of ${life.id}`, async () => {
      if (!(await expected.isOverdue())) return;
      await life.queue.run(async () => {
        if (this.#expected === expected) await this.withdraw();
      });
    });
  }

  /** The start that was begun is not to be. */
  async withdraw(): Promise<void> {
    const expected = this.#expected;
    this.#expected = this.#plan = undefined;
    if (expected === undefined) return;
    await expected.withdraw();
    this.#its.removal.clear([this.#life.places.layers]); // the kernel takes a volatile overlay's directories once
  }

  /** It would be another start by now. */
  forgetPlan(): void {
    this.#plan = undefined;
  }

  #takePlan(): StartPlan {
    const { id, record, parts, container } = this.#life;
    const made = this.#plan;
    this.#plan = undefined;
    if (made !== undefined && performance.now() - made.madeMs < PLAN_MS) return made.plan;
    return planStart(id, record, parts, parts.donationsFor(container));
  }

  async #launch(plan: StartPlan, expected: ExpectedStart | undefined): Promise<void> {
    const life = this.#life;
    const { io, execs, health, run } = this.#its;
    execs.clear();
    const arrivals = io.takeArrivals();
    const waits = expected !== undefined || arrivals.length > 0;
    try {
      await life.volumes.acquire();
      const process = await (expected?.take() ?? this.#begin(plan, waits));
      if (waits) await io.letIn(process, arrivals);
      const started = await process.link.started;
      life.process = process;
      life.cleared = undefined;
      life.phase = "running";
      life.mustEnd = false;
      const record = {
        ...neverRun,
        status: "running",
        pid: started.pid,
        startedNs: String(started.startedNs),
      } as const;
      await life.note(record, life.withRestarts({ isWaiting: false }));
      point("container.start.recorded");
      life.parts.networks.noteStart(life.container);
      life.tell("start");
      run.watch(process, plan.groupPath);
      health.watch(true);
      life.parts.noteStart(life.record);
    } catch (error) {
      io.dismiss(arrivals);
      throw error;
    }
  }

  /** @param waits at its gate */
  #begin(plan: StartPlan, waits: boolean): Promise<ContainerProcess> {
    const { places } = this.#life;
    if (!this.#isFresh) {
      rmSync(places.exitRecord, { force: true });
      mkdirSync(places.runDir, { recursive: true, mode: 0o700 }); // gone after a reboot
    }
    this.#isFresh = false;
    point("container.start.planned");
    return this.#spawn(plan, waits);
  }

  /** Its networks, and its process in them. @param waits at its gate */
  async #spawn(plan: StartPlan, waits: boolean): Promise<ContainerProcess> {
    const { parts, places, container } = this.#life;
    const ready = this.#ready;
    this.#ready = undefined;
    if (ready !== undefined) {
      const process = await this.#goOnWith(ready, plan);
      if (process !== undefined) return process;
      await parts.networks.detach(container);
      await parts.clearAway(plan.groupPath, [places.layers]); // the kernel takes a volatile overlay's directories once
    }
    const network = await parts.networks.attach(container);
    const begin = waits ? ContainerProcess.spawn : ContainerProcess.spawnThrough;
    // the very list, where nothing is to be put before it: it may be encoded already
    return begin(parts.executor, network.length === 0 ? plan.steps : [...network, ...plan.steps], places.socket);
  }

  /** undefined where what was ready has ended meanwhile. */
  async #goOnWith(ready: ReadyStart, plan: StartPlan): Promise<ContainerProcess | undefined> {
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

  /** Takes note of a failed start; a `--rm` container goes with it. The error for the caller. */
  async #failed(failure: unknown, plan: StartPlan | undefined): Promise<OrlopError> {
    const life = this.#life;
    const { error, exitCode } = explainFailure(failure, plan?.spec);
    if (error.code !== "unkillable") this.#its.removal.clear(); // else that is under way
    if (error.code === "executor_lost") life.doubt = life.cleared;
    if (life.restarts.isWaiting && isPassing(failure)) {
      // The machine lacked something, or what carries plans out was killed. That says nothing of this plan: it still waits for its start.
      const { run, restarts } = life.restarts.afterFailure(life.run, error.message);
      await life.note(run, life.withRestarts(restarts));
      life.restarts.schedule();
      return error;
    }
    const run = { ...life.run, exitCode, error: error.message };
    if (life.isTransient) await this.#its.removal.vanish(run);
    else await life.note(run, life.withRestarts({ isWaiting: false }));
    return error;
  }
}
