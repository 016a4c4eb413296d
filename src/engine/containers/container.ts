/**
 * One container as a living object: what the rest of the engine asks of it. What it is made of is in life/: its start, its run,
 * its stop, its removal, over the state that they share.
 */

import type { Duplex } from "node:stream";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { ContainerUpdate } from "../../spec/engine-api-update.ts";
import type { EngineParts } from "../engine-parts.ts";
import type { LogQuery } from "../logs/log-reader.ts";
import type { AskedEndpoint } from "../networks/network-mode.ts";
import { type ContainerPlaces, volumePath } from "../places.ts";
import type { AttachRequest } from "./attach-session.ts";
import { ContainerExecs } from "./container-execs.ts";
import { ContainerFiles } from "./container-files.ts";
import { ContainerHealth } from "./container-health.ts";
import { ContainerIo } from "./container-io.ts";
import type { StartPlan } from "./container-plan.ts";
import type { ContainerProcess, End } from "./container-process.ts";
import { type ContainerRecord, exposedPortsOf, type RunRecord } from "./container-record.ts";
import type { ContainerRestarts } from "./container-restarts.ts";
import type { Status } from "./container-state.ts";
import { ContainerChanges } from "./life/changes.ts";
import { ContainerComeBack } from "./life/come-back.ts";
import { ContainerConnections } from "./life/connections.ts";
import { ContainerLife } from "./life/container-life.ts";
import { ContainerPause } from "./life/pause.ts";
import { ContainerRemoval } from "./life/removal.ts";
import { ContainerRun } from "./life/run.ts";
import { ContainerStart } from "./life/start.ts";
import { ContainerStop } from "./life/stop.ts";
import type { ReadyStart } from "./ready-start.ts";
import type { WaitCondition } from "./waiters.ts";

export class Container {
  readonly #life: ContainerLife;
  readonly #io: ContainerIo;
  readonly #removal: ContainerRemoval;
  readonly #run: ContainerRun;
  readonly #start: ContainerStart;
  readonly #pause: ContainerPause;
  readonly #stop: ContainerStop;
  readonly #comeBack: ContainerComeBack;
  readonly #changes: ContainerChanges;
  /** Its networks, changed by hand. */
  readonly connections: ContainerConnections;
  /** Its files, from outside. */
  readonly files: ContainerFiles;
  readonly execs: ContainerExecs;
  readonly health: ContainerHealth;

  /** @param plan of a start that follows at once. @param ready its start has begun before it was made */
  constructor(parts: EngineParts, record: ContainerRecord, plan?: StartPlan, ready?: ReadyStart) {
    const life = new ContainerLife(parts, this, record, () => this.comeBack());
    this.#life = life;
    this.execs = new ContainerExecs(parts, this);
    this.health = new ContainerHealth({
      execs: this.execs,
      body: () => life.body,
      isPaused: () => life.isPaused,
      startedNs: () => life.run.startedNs,
      path: `${life.places.runDir}/health.json`,
      tell: (action) => life.tell(action),
    });
    this.#io = new ContainerIo(() => ({
      body: life.body,
      logPath: life.places.log,
      process: life.process,
      isLeaving: life.phase === "removing",
      tell: (action) => life.tell(action),
    }));
    this.files = new ContainerFiles(parts, () => ({
      record: life.record,
      isRunning: life.isRunning,
      tell: (action, more) => life.tell(action, more),
      socket: life.places.socket,
      exclusively: (work) => life.queue.run(work),
      isAwaited: life.queue.isAwaited,
    }));
    this.#removal = new ContainerRemoval(life, this.#io);
    this.#run = new ContainerRun(life, this.#io, this.health, this.#removal);
    const its = { io: this.#io, execs: this.execs, health: this.health, run: this.#run, removal: this.#removal };
    this.#start = new ContainerStart(life, its, plan, ready);
    this.#comeBack = new ContainerComeBack(life, this.#start);
    this.#changes = new ContainerChanges(life, this.#start);
    this.#pause = new ContainerPause(life);
    this.#stop = new ContainerStop(life, this.#pause);
    this.connections = new ContainerConnections(life, () => this.#start.forgetPlan());
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

  /** Its program is there: running or paused. */
  get isRunning(): boolean {
    return this.#life.isRunning;
  }

  /** What is wrong with it: why it does not end, or how its last run ended or failed to start. */
  get error(): string {
    return this.#life.stuck ?? this.run.error;
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

  /** Where the data of one of its volumes lies. */
  volumePath(name: string): string {
    return volumePath(this.#life.parts.places, name);
  }

  /** The first process, for an exec beside it. @throws {OrlopError} container_not_running */
  pid(): number {
    this.#life.mustAct("exec");
    return this.run.pid;
  }

  /** The networks that it is in while it runs. */
  get endpoints(): readonly AskedEndpoint[] {
    return this.connections.endpoints;
  }

  /** "80/tcp" …: its image's and those asked for. */
  get exposedPorts(): readonly string[] {
    return exposedPortsOf(this.record);
  }

  // ── its life ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes the folders and writes the record: afterwards the container exists. */
  establish(): Promise<void> {
    return this.#start.establish();
  }

  /** Begins what the client of a new `--rm` container is about to ask for. */
  expectStart(): void {
    this.#start.expect();
  }

  /** @returns false when it runs already */
  start(): Promise<boolean> {
    return this.#start.start();
  }

  /** Goes on with what an earlier engine began, and may not have written down. */
  adopt(process: ContainerProcess, groupPath: string): Promise<void> {
    return this.#run.adopt(process, groupPath);
  }

  /** Its monitor is there and does not answer yet: it is taken for running. @param found it did, and all else is done */
  presume(found: Promise<unknown>): void {
    this.#run.presume(found);
  }

  /** Takes note of an end that no engine saw. */
  settle(end: End, groupPath: string): Promise<void> {
    return this.#run.settle(end, groupPath);
  }

  /** The machine was started since the last run. */
  takeBoot(): Promise<void> {
    return this.#comeBack.takeBoot();
  }

  /**
   * A paused container goes on when this is to end it; another signal waits for it. Resolves behind SIGKILL when it has ended.
   *
   * @param signal as `parseSignal` reads it. @throws {OrlopError} bad_value, container_not_running, unkillable
   */
  kill(signal: string): Promise<void> {
    return this.#stop.kill(signal);
  }

  /**
   * Ends the program: its stop signal, SIGKILL after the timeout.
   *
   * @param seconds -1: never; undefined: the container's own
   * @param signal  as `parseSignal` reads it; undefined: the container's own
   * @returns false when it did not run
   * @throws {OrlopError} unkillable, 5 seconds after SIGKILL
   */
  stop(seconds?: number, signal?: string): Promise<boolean> {
    return this.#stop.stop(seconds, signal);
  }

  /** The machine is being shut down. Unlike `stop` this does not keep its restart policy from bringing it back later. */
  shutDown(): Promise<boolean> {
    return this.#stop.shutDown();
  }

  /** By its restart policy, where it waits for that. Those that it joins or has links to, and that wait as well, come first. */
  comeBack(): Promise<void> {
    return this.#comeBack.comeBack();
  }

  /** `stop`, where it runs, and `start`. In one turn: a start between the two would be taken for this one's. */
  restart(seconds?: number, signal?: string): Promise<void> {
    return this.#life.queue.run(async () => {
      await this.#stop.stopInTurn("restart", seconds, signal);
      await this.#start.startInTurn();
      this.#life.tell("restart");
    });
  }

  /** Every process of it stands still. @throws {OrlopError} container_…, pause_failed */
  pause(): Promise<void> {
    return this.#pause.pause();
  }

  /** @throws {OrlopError} container_not_paused */
  unpause(): Promise<void> {
    return this.#pause.unpause();
  }

  /**
   * Everything of it goes.
   *
   * @param withVolumes its anonymous volumes too, but for those that another container has
   * @throws {OrlopError} container_running without force, container_removing, unkillable
   */
  async remove(force: boolean, withVolumes = false): Promise<void> {
    if (force) await this.#stop.stayStopped();
    if (force && (await this.#endForRemoval())) return;
    await this.#life.queue.run(async () => {
      if (force && (await this.#endForRemoval())) return; // it was just being started
      this.#life.mustAct("remove");
      if (!this.isTransient) await this.#life.ended; // both may be on the disk at the same moment: the end is told first
      await this.#start.withdraw();
      await this.#removal.vanish(this.run, withVolumes);
    });
  }

  /** Whether its end has taken everything with it. */
  async #endForRemoval(): Promise<boolean> {
    if (!this.isRunning) return false;
    await this.#stop.killInTime("remove");
    return this.isTransient;
  }

  // ── changed while it lives ───────────────────────────────────────────────────────────────────────────────────────

  /** @returns the name until now, which is still reserved. @throws {OrlopError} container_removing, same_name */
  rename(name: string): Promise<string> {
    return this.#changes.rename(name);
  }

  /** Of a running container the limits change at once: all of them, or none. @throws {OrlopError} update_…, bad_value */
  update(update: ContainerUpdate): Promise<void> {
    return this.#changes.update(update);
  }

  /** @throws {OrlopError} container_not_running */
  resize(rows: number, columns: number): void {
    this.#life.mustAct("resize");
    this.#life.process?.resize(rows, columns);
    this.#life.tell("resize", { height: String(rows), width: String(columns) });
  }

  // ── waiting, attaching, logs ─────────────────────────────────────────────────────────────────────────────────────

  /** Resolves with the run that ended. */
  wait(condition: WaitCondition, signal: AbortSignal): Promise<RunRecord> {
    const { waiters } = this.#life;
    if (condition === "removed") return waiters.next("removed", signal);
    if (condition === "not-running" && !this.isRunning) return Promise.resolve(this.run);
    return waiters.next("exit", signal);
  }

  /** To be asked before a client's connection is taken over. @throws {OrlopError} container_paused */
  checkAttach(): void {
    this.#life.mustAct("attach");
  }

  /** Resolves when the client or the container has left. */
  attach(request: AttachRequest, client: Duplex): Promise<void> {
    return this.#io.attach(request, client);
  }

  /** The log as clients see it: framed, or raw with a terminal. @throws {OrlopError} logs_unreadable */
  logs(query: LogQuery, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    return this.#io.logs(query, signal);
  }
}
