/**
 * One container as the rest of the engine sees it. The operations themselves (start, run, stop, removal …) are in life/, one file each,
 * over the state that they share (`life/container-life.ts`).
 */

import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { EngineParts } from "../engine-parts.ts";
import type { LogQuery } from "../logs/log-reader.ts";
import type { AskedEndpoint } from "../networks/network-mode.ts";
import { type ContainerPlaces, volumePath } from "../places.ts";
import type { AttachRequest } from "./attach-session.ts";
import { ContainerExecs } from "./container-execs.ts";
import { ContainerFiles } from "./container-files.ts";
import type { ContainerGroup } from "./container-group.ts";
import { ContainerHealth } from "./container-health.ts";
import { ContainerIo, type OpenedAttachment } from "./container-io.ts";
import type { StartPlan } from "./container-plan.ts";
import type { ContainerProcess, End } from "./container-process.ts";
import { type ContainerRecord, exposedPortsOf, type RunRecord } from "./container-record.ts";
import type { ContainerRestarts } from "./container-restarts.ts";
import type { Status } from "./container-state.ts";
import { ContainerChanges } from "./life/changes.ts";
import { ContainerCleanup } from "./life/cleanup.ts";
import { ContainerConnections } from "./life/connections.ts";
import { ContainerLife } from "./life/container-life.ts";
import { ContainerPause } from "./life/pause.ts";
import { PolicyRestart } from "./life/policy-restart.ts";
import { PreparedStart } from "./life/prepared-start.ts";
import { ContainerRemoval } from "./life/removal.ts";
import { ContainerRun } from "./life/run.ts";
import { ContainerStart } from "./life/start.ts";
import { ContainerStop, type ForeseenStop } from "./life/stop.ts";
import type { ReadyStart } from "./ready-start.ts";
import type { WaitCondition } from "./waiters.ts";

export class Container {
  readonly #life: ContainerLife;
  readonly #io: ContainerIo;
  readonly #cleanup: ContainerCleanup;
  readonly #removal: ContainerRemoval;
  readonly #run: ContainerRun;
  readonly #start: ContainerStart;
  readonly #pause: ContainerPause;
  readonly #stop: ContainerStop;
  readonly #policyRestart: PolicyRestart;
  /** Renaming, and limits. */
  readonly changes: ContainerChanges;
  /** Connecting to and disconnecting from networks. */
  readonly connections: ContainerConnections;
  /** Its files: cp, export, diff. */
  readonly files: ContainerFiles;
  readonly execs: ContainerExecs;
  readonly health: ContainerHealth;

  /** @param plan made at create, for a start that follows at once. @param ready its start, begun before the container was made */
  constructor(parts: EngineParts, record: ContainerRecord, plan?: StartPlan, ready?: ReadyStart) {
    const life = new ContainerLife(parts, this, record, () => this.restartIfWaiting());
    this.#life = life;
    this.execs = new ContainerExecs(parts, this);
    this.health = new ContainerHealth({
      execs: this.execs,
      body: () => life.body,
      isPaused: () => life.isPaused,
      startedNs: () => life.run.startedNs,
      path: `${life.places.runDir}/health.json`,
      publish: (action) => life.publish(action),
    });
    this.#io = new ContainerIo(() => ({
      body: life.body,
      logPath: life.places.log,
      process: life.process,
      isRemoving: life.phase === "removing",
      publish: (action) => life.publish(action),
    }));
    this.files = new ContainerFiles(parts, () => ({
      record: life.record,
      isRunning: life.isRunning,
      publish: (action, more) => life.publish(action, more),
      socket: life.places.socket,
      exclusively: (work) => life.queue.run(work),
      isAwaited: life.queue.isAwaited,
    }));
    const cleanup = new ContainerCleanup(life, this.#io);
    this.#cleanup = cleanup;
    this.#run = new ContainerRun(life, this.#io, this.health, cleanup);
    const prepared = new PreparedStart(life, plan, ready);
    const startParts = { io: this.#io, execs: this.execs, health: this.health, run: this.#run, cleanup };
    this.#start = new ContainerStart(life, startParts, prepared);
    this.#policyRestart = new PolicyRestart(life, this.#start);
    this.#pause = new ContainerPause(life);
    this.#stop = new ContainerStop(life, this.#pause);
    this.#removal = new ContainerRemoval(life, { start: this.#start, stop: this.#stop, cleanup });
    this.changes = new ContainerChanges(life, this.#start);
    this.connections = new ContainerConnections(life, () => prepared.forgetPlan());
  }

  // ── what it is ───────────────────────────────────────────────────────────────────────────────────────────────────

  get id(): string {
    return this.#life.id;
  }

  get name(): string {
    return this.#life.name;
  }

  get record(): ContainerRecord {
    return this.#life.record;
  }

  get body(): ContainerCreateBody {
    return this.#life.body;
  }

  get run(): RunRecord {
    return this.#life.run;
  }

  get status(): Status {
    return this.#life.status;
  }

  /** Running or paused. */
  get isRunning(): boolean {
    return this.#life.isRunning;
  }

  /** Why it does not end or answer, or else why its last start failed or how its last run ended; "": nothing is wrong. */
  get error(): string {
    return this.#life.stuckReason ?? this.run.error;
  }

  get isTransient(): boolean {
    return this.#life.isTransient;
  }

  get places(): ContainerPlaces {
    return this.#life.places;
  }

  get restarts(): ContainerRestarts {
    return this.#life.restarts;
  }

  /** The directory with the data of one of its volumes, as a path of the host. */
  volumePath(name: string): string {
    return volumePath(this.#life.parts.places, name);
  }

  /** The first process's pid, for an exec. @throws {OrlopError} container_not_running */
  pid(): number {
    this.#life.mustAct("exec");
    return this.run.pid;
  }

  /** The networks that the container is in while it runs. */
  get endpoints(): readonly AskedEndpoint[] {
    return this.connections.endpoints;
  }

  /** "80/tcp" …: those of the image, and those of the create body. */
  get exposedPorts(): readonly string[] {
    return exposedPortsOf(this.record);
  }

  // ── operations ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes the folders and writes the record: afterwards the container exists. */
  establish(): Promise<void> {
    return this.#start.establish();
  }

  /** Begins the start that the client of a new `--rm` container is about to ask for. */
  expectStart(): void {
    this.#start.expect();
  }

  /** @returns false when the container runs already */
  start(): Promise<boolean> {
    return this.#start.start();
  }

  /** Takes over a run that an earlier engine started, and may not have recorded. */
  adopt(process: ContainerProcess, groupPath: string): Promise<void> {
    return this.#run.adopt(process, groupPath);
  }

  /** Takes the container for running although its monitor does not answer. @param found resolves when it has been taken over, or has not */
  presumeRunning(found: Promise<unknown>): void {
    this.#run.presumeRunning(found);
  }

  /** Records an end that happened while no engine ran. */
  recordUnseenEnd(end: End, groupPath: string): Promise<void> {
    return this.#run.recordUnseenEnd(end, groupPath);
  }

  /** Called at the first engine start after a boot: schedules a restart where the restart policy asks for one. */
  restartAfterBoot(): Promise<void> {
    return this.#policyRestart.restartAfterBoot();
  }

  /**
   * Sends a signal. A paused container is resumed for SIGKILL and for its stop signal; other signals stay pending until `unpause`.
   * After SIGKILL this resolves when the container has ended.
   *
   * @param signal as `parseSignal` reads it. @throws {OrlopError} bad_value, container_not_running, unkillable
   */
  kill(signal: string): Promise<void> {
    return this.#stop.kill(signal);
  }

  /**
   * Ends the program: sends its stop signal, and SIGKILL after the timeout.
   *
   * @param seconds the timeout; -1: none; undefined: the container's own, or 10
   * @param signal  as `parseSignal` reads it; undefined: the container's own
   * @returns false when it did not run
   * @throws {OrlopError} unkillable, 5 seconds after SIGKILL
   */
  stop(seconds?: number, signal?: string): Promise<boolean> {
    return this.#stop.stop(seconds, signal);
  }

  /** `stop` for a shutdown of the machine: the restart policy still starts the container after the next boot. */
  shutDown(): Promise<boolean> {
    return this.#stop.shutDown();
  }

  /** Starts the container if it waits for a restart by its policy, and before it those that it depends on, if they wait too. */
  restartIfWaiting(): Promise<void> {
    return this.#policyRestart.restartIfWaiting();
  }

  /** `stop` if it runs, then `start`, as one operation: another client's start between the two would be taken for this one. */
  restart(seconds?: number, signal?: string): Promise<void> {
    return this.#life.queue.run(async () => {
      await this.#stop.stopInTurn("restart", seconds, signal);
      await this.#start.startInTurn();
      this.#life.publish("restart");
    });
  }

  /** Freezes all of its processes. @throws {OrlopError} container_…, pause_failed */
  pause(): Promise<void> {
    return this.#pause.pause();
  }

  /** What a pause and its end do. */
  foreseePause(): ReturnType<ContainerGroup["foresee"]> {
    return this.#life.group.foresee();
  }

  /** What `stop` does. Nothing is done. @throws {OrlopError} bad_value, container_not_running */
  foreseeStop(seconds?: number, signal?: string): ForeseenStop {
    return { ...this.#stop.foresee(seconds, signal), steps: this.#cleanup.foresee() };
  }

  /** @throws {OrlopError} container_not_paused */
  unpause(): Promise<void> {
    return this.#pause.unpause();
  }

  /**
   * Removes the container: its record at once, its files in the background.
   *
   * @param force       a running container is killed first
   * @param withVolumes removes its anonymous volumes too, unless another container uses them
   * @throws {OrlopError} container_running without force, container_removing, unkillable
   */
  remove(force: boolean, withVolumes = false): Promise<void> {
    return this.#removal.remove(force, withVolumes);
  }

  /** Resizes its terminal. @throws {OrlopError} container_not_running, bad_value */
  resize(rows: number, columns: number): void {
    this.#life.mustAct("resize");
    this.#life.process?.resize(rows, columns);
    this.#life.publish("resize", { height: String(rows), width: String(columns) });
  }

  // ── waiting, attaching, logs ─────────────────────────────────────────────────────────────────────────────────────

  /** Resolves with the run that ended. */
  wait(condition: WaitCondition, signal: AbortSignal): Promise<RunRecord> {
    const { waiters } = this.#life;
    if (condition === "removed") return waiters.next("removed", signal);
    if (condition === "not-running" && !this.isRunning) return Promise.resolve(this.run);
    return waiters.next("exit", signal);
  }

  /** Checked before a client's HTTP connection is hijacked, while an error can still be answered. @throws {OrlopError} container_paused */
  checkAttach(): void {
    this.#life.mustAct("attach");
  }

  /**
   * Attaches to a container that runs before the client is told so: when this resolves, the client misses nothing that is written
   * from then on, whatever it does to the container. Before a start the client comes in with `enter`.
   */
  attach(request: AttachRequest): Promise<OpenedAttachment> {
    return this.#io.attach(request);
  }

  /** The log as the API sends it: in attach frames, or raw for a container with a terminal. @throws {OrlopError} logs_unreadable */
  logs(query: LogQuery, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    return this.#io.logs(query, signal);
  }
}
