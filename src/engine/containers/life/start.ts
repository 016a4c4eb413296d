/** A container's creation and its starts. What a start has ready before it is asked for is in `prepared-start.ts`. */

import { mkdirSync, writeFileSync } from "node:fs";
import type { OrlopError } from "../../../base/errors.ts";
import { settlesWithin } from "../../../base/in-time.ts";
import { log } from "../../../base/log.ts";
import { point } from "../../../base/point.ts";
import { isEnding } from "../../../kernel/process-facts.ts";
import { networkModeOf } from "../../networks/network-mode.ts";
import { GROUP_FILE } from "../../places.ts";
import { readProc } from "../../process-files.ts";
import type { ContainerExecs } from "../container-execs.ts";
import type { ContainerHealth } from "../container-health.ts";
import type { ContainerIo } from "../container-io.ts";
import type { StartPlan } from "../container-plan.ts";
import { groupPathOfRecord } from "../container-record.ts";
import type { ExpectedStart } from "../expected-start.ts";
import { noRestarts } from "../restart-policy.ts";
import { explainFailure, isTemporary } from "../start-failure.ts";
import type { ContainerCleanup } from "./cleanup.ts";
import type { ContainerLife } from "./container-life.ts";
import type { PreparedStart } from "./prepared-start.ts";
import type { ContainerRun } from "./run.ts";
import { END_TIMEOUT_MS, unkillable } from "./stop.ts";

/** The other parts of the container that take part in a start. */
export interface StartParts {
  readonly io: ContainerIo;
  readonly execs: ContainerExecs;
  readonly health: ContainerHealth;
  readonly run: ContainerRun;
  readonly cleanup: ContainerCleanup;
}

export class ContainerStart {
  readonly #life: ContainerLife;
  readonly #parts: StartParts;
  readonly #prepared: PreparedStart;

  constructor(life: ContainerLife, parts: StartParts, prepared: PreparedStart) {
    this.#life = life;
    this.#parts = parts;
    this.#prepared = prepared;
  }

  /** Makes the folders and writes the record: afterwards the container exists. */
  async establish(): Promise<void> {
    const life = this.#life;
    const { places, body } = life;
    if (!this.#prepared.hasFolders)
      for (const folder of [places.runDir, places.files]) mkdirSync(folder, { mode: 0o700 });
    if (body.HostConfig.CgroupParent !== "")
      writeFileSync(`${places.runDir}/${GROUP_FILE}`, groupPathOfRecord(life.record));
    point("container.create.directories");
    this.#prepared.isFresh = true;
    life.cleanup = Promise.resolve(true);
    if (networkModeOf(body).kind !== "network") this.expect(); // else later: networks take only containers that exist
    try {
      await life.save();
    } catch (error) {
      await this.withdraw();
      throw error;
    }
    point("container.create.recorded");
    life.publish("create");
  }

  /** As `Container.expectStart`. */
  expect(): void {
    const expected = this.#prepared.begin();
    if (expected === undefined) return;
    const life = this.#life;
    void life.parts.background(`expecting the start of ${life.id}`, async () => {
      if (!(await expected.isOverdue())) return;
      await life.queue.run(async () => {
        if (this.#prepared.expected === expected) await this.withdraw();
      });
    });
  }

  /** Ends a start that has begun before anybody asked for it. */
  async withdraw(): Promise<void> {
    const expected = this.#prepared.takeExpected();
    this.#prepared.forgetPlan();
    if (expected === undefined) return;
    await expected.withdraw();
    this.#parts.cleanup.cleanUp([this.#life.places.layers]); // a volatile overlay's directories can be mounted only once
  }

  /** As `Container.start`. */
  start(): Promise<boolean> {
    return this.#life.queue.run(() => this.startInTurn());
  }

  /** `start`, for a caller that holds the container's queue. */
  async startInTurn(): Promise<boolean> {
    const life = this.#life;
    await this.#awaitKilled();
    if (!life.mustAct("start")) {
      // A stop or removal may have been cut off after it had forbidden restarts: the restart policy counts again.
      if (life.restarts.state.isStopped) await life.changeRecord(life.withRestarts({ isStopped: false }));
      return false;
    }
    life.restarts.cancelTimer();
    if (life.record.restarts !== undefined) life.record = { ...life.record, restarts: noRestarts };
    await this.#startNow();
    return true;
  }

  /**
   * A container that was killed counts as running until its monitor has reported the end; a start waits for that. Who killed it may
   * have been an engine that has died since, so /proc is asked as well.
   *
   * @throws {OrlopError} unkillable
   */
  async #awaitKilled(): Promise<void> {
    const life = this.#life;
    const { pid } = life.run;
    if (!life.isRunning || life.isPaused) return;
    const isKilled = life.isKillRequested || isEnding(readProc(pid, "stat"), readProc(pid, "status"));
    if (isKilled) await this.#awaitLastRun(life.ended);
  }

  /** @param ended the end of the last run, or its cleanup. @throws {OrlopError} unkillable: it takes too long */
  async #awaitLastRun(ended: Promise<unknown>): Promise<void> {
    if (await settlesWithin(ended, END_TIMEOUT_MS)) return;
    throw await unkillable(this.#life, "start", "what ran before has not ended");
  }

  /**
   * Starts the container by its restart policy, unless it was stopped, started or removed since. A start that fails ends the
   * restarting, unless the failure is temporary.
   */
  startIfWaiting(): Promise<void> {
    const life = this.#life;
    return life.queue.run(async () => {
      if (life.status !== "restarting") return;
      point("container.restart.due");
      try {
        await this.#startNow();
      } catch (error) {
        log("warn", `container ${life.id} could not be started again`, error); // its record has the reason too
      }
    });
  }

  async #startNow(): Promise<void> {
    const life = this.#life;
    const expected = this.#prepared.takeExpected();
    let plan = expected?.plan;
    try {
      await life.resolveUncertainStart();
      this.#parts.cleanup.hurry();
      if (life.cleanup !== undefined) await this.#awaitLastRun(life.cleanup);
      plan ??= this.#prepared.takePlan();
      await this.#launch(plan, expected);
    } catch (failure) {
      throw await this.#failed(failure, plan);
    }
  }

  async #launch(plan: StartPlan, expected: ExpectedStart | undefined): Promise<void> {
    const life = this.#life;
    const { io, execs, health, run } = this.#parts;
    execs.clear();
    const clients = io.takeWaitingClients();
    const atGate = expected !== undefined || clients.length > 0;
    try {
      await life.volumes.acquire();
      const process = await (expected?.take() ?? this.#prepared.spawn(plan, atGate));
      if (atGate) await io.connectAndOpenGate(process, clients);
      const started = await process.link.started;
      life.process = process;
      life.cleanup = undefined;
      life.phase = "running";
      life.isKillRequested = false;
      await life.recordStart(started);
      point("container.start.recorded");
      life.parts.networks.noteStart(life.container);
      life.publish("start");
      run.watch(process, plan.groupPath);
      health.watch(true);
      life.parts.noteStart(life.record);
    } catch (error) {
      io.dismiss(clients);
      throw error;
    }
  }

  /** Records a failed start, and removes the container if it is a `--rm` one. @returns the error for the caller */
  async #failed(failure: unknown, plan: StartPlan | undefined): Promise<OrlopError> {
    const life = this.#life;
    const { error, exitCode } = explainFailure(failure, plan?.spec);
    if (error.code !== "unkillable") this.#parts.cleanup.cleanUp(); // else the cleanup of the last run is still under way
    if (error.code === "executor_lost") life.uncertainStart = life.cleanup;
    if (life.restarts.isWaiting && isTemporary(failure)) {
      const { run, restarts } = life.restarts.afterFailure(life.run, error.message);
      await life.recordRun(run, life.withRestarts(restarts));
      life.restarts.schedule();
      return error;
    }
    const run = { ...life.run, exitCode, error: error.message };
    if (life.isTransient) await this.#parts.cleanup.removeContainer(run);
    else await life.recordRun(run, life.withRestarts({ isWaiting: false }));
    return error;
  }
}
