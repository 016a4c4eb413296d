/**
 * The state that the parts of one container share: its record, its process, the cleanup of its last run, its waiters. Only the files
 * of this folder change it; everybody else sees what `Container` exposes.
 */

import { OrlopError } from "../../../base/errors.ts";
import { log } from "../../../base/log.ts";
import { Serial } from "../../../base/serial.ts";
import type { Started } from "../../../kernel/executor.ts";
import type { ContainerCreateBody } from "../../../spec/engine-api-container.ts";
import type { EngineParts } from "../../engine-parts.ts";
import { type ContainerPlaces, containerPlaces } from "../../places.ts";
import type { Container } from "../container.ts";
import { type ContainerAction, publishContainerEvent } from "../container-events.ts";
import { ContainerGroup } from "../container-group.ts";
import type { ContainerProcess } from "../container-process.ts";
import {
  type ContainerRecord,
  encodeRecord,
  groupPathOfRecord,
  isTransient,
  neverRun,
  type RunRecord,
} from "../container-record.ts";
import { ContainerRestarts } from "../container-restarts.ts";
import { mustAct, type Operation, type Status } from "../container-state.ts";
import { ContainerVolumes } from "../container-volumes.ts";
import type { RestartState } from "../restart-policy.ts";
import { Waiters } from "../waiters.ts";

export class ContainerLife {
  readonly parts: EngineParts;
  readonly container: Container;
  /** Operations run one after the other. A kill and the end of the program do not queue. */
  readonly queue = new Serial();
  readonly waiters = new Waiters();
  readonly places: ContainerPlaces;
  readonly group: ContainerGroup;
  readonly volumes: ContainerVolumes;
  readonly restarts: ContainerRestarts;
  record: ContainerRecord;
  phase: Exclude<Status, "paused" | "restarting">;
  isPaused = false;
  /** SIGKILL was requested: the container must not stay frozen, because on cgroup v1 SIGKILL takes effect after the thaw only. */
  isKillRequested = false;
  process: ContainerProcess | undefined;
  /** A start was cut off, so that its program may run or not; resolves when what it left is cleared away (false: that failed). */
  uncertainStart: Promise<boolean> | undefined;
  /** Why the container does not end although it was killed, or does not answer; undefined when all is well. */
  stuckReason: string | undefined;
  /** Resolves when the end of the program is recorded; resolved while none runs. */
  ended: Promise<void> = Promise.resolve();
  /** Resolves when the last run's monitor has closed its connection: the root's mounts are gone then. Never rejects. */
  monitorClosed: Promise<void> = Promise.resolve();
  /** Allows the last run's monitor to leave, which unmounts the root. Called when what must be removed before that is removed. */
  releaseMonitor: () => void = () => undefined;
  /** The cleanup of the last run (false: it failed); undefined when none was begun, or when this engine does not know of one. */
  cleanup: Promise<boolean> | undefined;

  /** @param restart starts the container if it still waits for a restart */
  constructor(parts: EngineParts, container: Container, record: ContainerRecord, restart: () => Promise<void>) {
    this.parts = parts;
    this.container = container;
    this.record = record;
    this.phase = record.run.status;
    this.places = containerPlaces(parts.places, record.id, isTransient(record));
    this.group = new ContainerGroup(parts, record.id, groupPathOfRecord(record));
    this.volumes = new ContainerVolumes(record.id, record.mounts, parts.volumes);
    this.volumes.refer();
    this.restarts = new ContainerRestarts({
      record: () => this.record,
      restart: () =>
        void parts.background(`restarting ${this.id}`, async () => {
          await parts.reconciled;
          await restart();
        }),
    });
  }

  get id(): string {
    return this.record.id;
  }

  get name(): string {
    return this.record.name;
  }

  get body(): ContainerCreateBody {
    return this.record.body;
  }

  get run(): RunRecord {
    return this.record.run;
  }

  get status(): Status {
    if (this.isPaused) return "paused";
    return this.phase === "exited" && this.restarts.isWaiting ? "restarting" : this.phase;
  }

  /** Running or paused. */
  get isRunning(): boolean {
    return this.phase === "running";
  }

  get isTransient(): boolean {
    return isTransient(this.record);
  }

  /** `mustAct` with this container's status. @throws {OrlopError} the status does not allow the operation */
  mustAct(operation: Operation): boolean {
    return mustAct(operation, this.status, this);
  }

  /**
   * Waits until what a start that was cut off may have left is ended: before that, nobody may be told that the container does not run.
   *
   * @throws {OrlopError} executor_lost: plans cannot be carried out any more; the next engine finds out what runs
   */
  async resolveUncertainStart(): Promise<void> {
    const isResolved = (await this.uncertainStart) ?? true;
    if (!isResolved)
      throw OrlopError.of("executor_lost", { reason: "whether its last start went through is not known" });
    this.uncertainStart = undefined;
  }

  publish(action: ContainerAction, more?: Readonly<Record<string, string>>): void {
    publishContainerEvent(this.parts.events, this.record, action, more);
  }

  /** Records that its program runs: a restart that it waited for has been made. */
  async recordStart({ pid, startedNs }: Started): Promise<void> {
    const run = { ...neverRun, status: "running", pid, startedNs: String(startedNs) } as const;
    await this.recordRun(run, this.withRestarts({ isWaiting: false }));
  }

  /**
   * Records a run. If the disk is full, that is logged only: the next engine asks the monitor. A `--rm` container's runs are not
   * saved at all, because its monitor's socket and exit record say the same.
   */
  async recordRun(run: RunRecord, more: Pick<ContainerRecord, "restarts"> = {}): Promise<void> {
    this.record = { ...this.record, run, ...more };
    if (this.isTransient) return;
    try {
      await this.save();
    } catch (error) {
      log("error", `what became of container ${this.id} could not be written down`, error);
    }
  }

  async save(): Promise<void> {
    await this.parts.storeOf(this.record).apply({ put: encodeRecord(this.record) });
  }

  /** Changes the record and saves it, of a `--rm` container too; all of it or nothing. @throws {OrlopError} no_such_container */
  async changeRecord(
    change: Partial<Pick<ContainerRecord, "name" | "body" | "endpoints" | "restarts">>,
  ): Promise<void> {
    // Its record is removed already. Saved again, it would be an existing container to the next engine.
    if (this.phase === "removing") throw OrlopError.of("no_such_container", { id: this.id });
    const { name, body, endpoints } = this.record;
    this.record = { ...this.record, ...change };
    try {
      await this.save();
    } catch (error) {
      this.record = { ...this.record, name, body, ...(endpoints && { endpoints }) };
      throw error;
    }
  }

  /** The restart state with `change`, to be saved; nothing for a container that has no such state. */
  withRestarts(change: Partial<RestartState>): Pick<ContainerRecord, "restarts"> {
    if (!this.restarts.hasPolicy && this.record.restarts === undefined) return {};
    return { restarts: { ...this.restarts.state, ...change } };
  }
}
