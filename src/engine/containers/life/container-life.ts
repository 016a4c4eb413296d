/**
 * What the parts of one container's life share: its record, its process, what is left of the last run, and who waits. The
 * parts beside this file change it, and nobody else; what `Container` shows of it is for everybody.
 */

import { OrlopError } from "../../../base/errors.ts";
import { log } from "../../../base/log.ts";
import { Serial } from "../../../base/serial.ts";
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
  /** Operations, one after the other; a kill and the end of the program do not wait for it. */
  readonly queue = new Serial();
  readonly waiters = new Waiters();
  readonly places: ContainerPlaces;
  readonly group: ContainerGroup;
  readonly volumes: ContainerVolumes;
  readonly restarts: ContainerRestarts;
  record: ContainerRecord;
  phase: Exclude<Status, "paused" | "restarting">;
  isPaused = false;
  /** It was killed, and must not stand still any more: on cgroup v1 SIGKILL waits for that. */
  mustEnd = false;
  process: ContainerProcess | undefined;
  /** A start was cut off, and what it may have left is being ended (false: it could not be). */
  doubt: Promise<boolean> | undefined;
  /** It was killed and does not end: why, while that is so. */
  stuck: string | undefined;
  /** The program's end is taken note of; resolved while none runs. */
  ended: Promise<void> = Promise.resolve();
  /** The last run's monitor has let go: the root's mounts are gone. Never rejects. */
  left: Promise<void> = Promise.resolve();
  /** Has it do so, once what was to be removed before is. */
  letGo: () => void = () => undefined;
  /** What the last run left behind is cleared away (false: it could not be); undefined where that is not begun or not known. */
  cleared: Promise<boolean> | undefined;

  /** @param restart starts it, when it still waits for that */
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

  /** Its program is there: running or paused. */
  get isRunning(): boolean {
    return this.phase === "running";
  }

  get isTransient(): boolean {
    return isTransient(this.record);
  }

  /** As `mustAct` of this container's status. @throws {OrlopError} what its status does not allow */
  mustAct(operation: Operation): boolean {
    return mustAct(operation, this.status, this);
  }

  /**
   * Nobody is told that it does not run while a start of it that was cut off may have gone through.
   *
   * @throws {OrlopError} executor_lost: what carries plans out is gone; the next engine finds what there is
   */
  async mustBeKnown(): Promise<void> {
    const isKnown = (await this.doubt) ?? true;
    if (!isKnown) throw OrlopError.of("executor_lost", { reason: "whether its last start went through is not known" });
    this.doubt = undefined;
  }

  tell(action: ContainerAction, more?: Readonly<Record<string, string>>): void {
    publishContainerEvent(this.parts.events, this.record, action, more);
  }

  /** Of a `--rm` container only its being there is stored: its monitor's socket and exit record say the rest. */
  async write(run: RunRecord, more: Pick<ContainerRecord, "restarts"> = {}): Promise<void> {
    this.record = { ...this.record, run, ...more };
    if (!this.isTransient) await this.store();
  }

  /** As `write`, of what its monitor knows too: where the disk takes nothing, life goes on, and the next engine asks the monitor. */
  async note(run: RunRecord, more: Pick<ContainerRecord, "restarts"> = {}): Promise<void> {
    try {
      await this.write(run, more);
    } catch (error) {
      log("error", `what became of container ${this.id} could not be written down`, error);
    }
  }

  async store(): Promise<void> {
    await this.parts.storeOf(this.record).apply({ put: encodeRecord(this.record) });
  }

  /** What was asked for changes, also of a `--rm` container; all of it or nothing. @throws {OrlopError} no_such_container */
  async change(change: Partial<Pick<ContainerRecord, "name" | "body" | "endpoints" | "restarts">>): Promise<void> {
    // Its end took its record with it: written down again, the next engine would take it for one that is there.
    if (this.phase === "removing") throw OrlopError.of("no_such_container", { id: this.id });
    const { name, body, endpoints } = this.record;
    this.record = { ...this.record, ...change };
    try {
      await this.store();
    } catch (error) {
      this.record = { ...this.record, name, body, ...(endpoints && { endpoints }) };
      throw error;
    }
  }

  /** Nothing where nothing is kept. */
  withRestarts(change: Partial<RestartState>): Pick<ContainerRecord, "restarts"> {
    if (!this.restarts.hasPolicy && this.record.restarts === undefined) return {};
    return { restarts: { ...this.restarts.state, ...change } };
  }
}
