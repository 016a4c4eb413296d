/**
 * One container as a living object. It alone changes what is its own: its record, its process, its files. Operations queue;
 * a kill and the end of the program do not wait for the queue.
 */

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import type { Duplex } from "node:stream";
import { OrlopError } from "../../base/errors.ts";
import { settlesWithin } from "../../base/in-time.ts";
import { log } from "../../base/log.ts";
import { point } from "../../base/point.ts";
import { Serial } from "../../base/serial.ts";
import { parseSignal } from "../../kernel/signals.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { EndpointSettings } from "../../spec/engine-api-network.ts";
import type { ContainerUpdate } from "../../spec/engine-api-update.ts";
import type { EngineParts } from "../engine-parts.ts";
import type { LogQuery } from "../logs/log-reader.ts";
import type { Network } from "../networks/network.ts";
import { type AskedEndpoint, endpointsOf, networkModeOf } from "../networks/network-mode.ts";
import { type ContainerPlaces, containerPlaces, GROUP_FILE, volumePath } from "../places.ts";
import type { AttachRequest } from "./attach-session.ts";
import { recordOfEnd } from "./container-end.ts";
import { type ContainerAction, publishContainerEvent } from "./container-events.ts";
import { ContainerExecs } from "./container-execs.ts";
import { ContainerFiles } from "./container-files.ts";
import { ContainerGroup } from "./container-group.ts";
import { ContainerHealth } from "./container-health.ts";
import { ContainerIo } from "./container-io.ts";
import { planStart, type StartPlan } from "./container-plan.ts";
import { ContainerProcess, type End } from "./container-process.ts";
import {
  type ContainerRecord,
  encodeRecord,
  groupPathOfRecord,
  isTransient,
  neverRun,
  type RunRecord,
} from "./container-record.ts";
import { ContainerRestarts } from "./container-restarts.ts";
import { stopSignalOf } from "./container-spec.ts";
import { mustAct, type Status } from "./container-state.ts";
import { updateHostConfig } from "./container-update.ts";
import { ContainerVolumes } from "./container-volumes.ts";
import { ExpectedStart } from "./expected-start.ts";
import type { ReadyStart } from "./ready-starts.ts";
import { noRestarts, type RestartState } from "./restart-policy.ts";
import { findBlockDevice } from "./spec-block-io.ts";
import { limitsOf } from "./spec-limits.ts";
import { explainFailure } from "./start-failure.ts";
import { explainUnkillable } from "./unkillable.ts";
import { type WaitCondition, Waiters } from "./waiters.ts";

const SIGKILL = 9;
/** Docker's. */
const STOP_SECONDS = 10;
/** So long its end may take after a SIGKILL, and clearing away before the next start: then the caller is told why. */
const PATIENCE_MS = 5000;
/** So long an engine that starts waits for processes without a monitor to end. */
const LOST_PATIENCE_MS = 2000;
/** So long a `--rm` container whose end no engine saw is kept for its client, which has lost the engine too and is on its way. */
const COLLECT_MS = 3000;

export class Container {
  readonly #parts: EngineParts;
  readonly #queue = new Serial();
  readonly #waiters = new Waiters();
  readonly #io: ContainerIo;
  /** Its files, from outside. */
  readonly files: ContainerFiles;
  readonly #group: ContainerGroup;
  readonly #volumes: ContainerVolumes;
  readonly places: ContainerPlaces;
  readonly execs: ContainerExecs;
  readonly restarts: ContainerRestarts;
  readonly health: ContainerHealth;
  #record: ContainerRecord;
  #status: Exclude<Status, "paused" | "restarting">;
  #isPaused = false;
  /** It was killed, and must not stand still any more: on cgroup v1 SIGKILL waits for that. */
  #mustEnd = false;
  #process: ContainerProcess | undefined;
  /** It was killed and does not end: why, while that is so. */
  #stuck: string | undefined;
  /** The program's end is taken note of; resolved while none runs. */
  #ended: Promise<void> = Promise.resolve();
  /** The last run's monitor has let go: the root's mounts are gone. Never rejects. */
  #left: Promise<void> = Promise.resolve();
  /** What the last run left behind is cleared away (false: it could not be); undefined where that is not begun or not known. */
  #cleared: Promise<boolean> | undefined;
  /** Made by this engine and never started: its folders are there, and nothing is in them. */
  #isFresh = false;
  /** Made at create, for a start that follows at once. */
  #plan: { readonly plan: StartPlan; readonly madeMs: number } | undefined;
  #expected: ExpectedStart | undefined;
  /** Its start has begun before it was made. */
  #ready: ReadyStart | undefined;

  constructor(parts: EngineParts, record: ContainerRecord, plan?: StartPlan, ready?: ReadyStart) {
    this.#parts = parts;
    this.#record = record;
    this.#status = record.run.status;
    this.places = containerPlaces(parts.places, record.id, isTransient(record));
    this.#ready = ready;
    if (plan !== undefined) this.#plan = { plan, madeMs: performance.now() };
    this.#group = new ContainerGroup(parts, record.id, groupPathOfRecord(record));
    this.#volumes = new ContainerVolumes(record.id, record.mounts, parts.volumes);
    this.#volumes.refer();
    this.execs = new ContainerExecs(parts, this);
    this.health = new ContainerHealth({
      execs: this.execs,
      body: () => this.body,
      isPaused: () => this.#isPaused,
      startedNs: () => this.run.startedNs,
      path: `${this.places.runDir}/health.json`,
      tell: (action) => this.#tell(action),
    });
    this.restarts = new ContainerRestarts({
      record: () => this.#record,
      restart: () => void parts.background(`restarting ${this.id}`, () => this.#startAgain()),
    });
    this.#io = new ContainerIo(() => ({
      body: this.body,
      logPath: this.places.log,
      process: this.#process,
      isLeaving: this.#status === "removing",
      tell: (action) => this.#tell(action),
    }));
    this.files = new ContainerFiles(parts, () => ({
      record: this.#record,
      isRunning: this.isRunning,
      tell: (action) => this.#tell(action),
      socket: this.places.socket,
      exclusively: (work) => this.#queue.run(work),
      isAwaited: this.#queue.isAwaited,
    }));
  }

  get id(): string {
    return this.#record.id;
  }

  get name(): string {
    return this.#record.name;
  }

  get record(): ContainerRecord {
    return this.#record;
  }

  get body(): ContainerCreateBody {
    return this.#record.body;
  }

  get run(): RunRecord {
    return this.#record.run;
  }

  get status(): Status {
    if (this.#isPaused) return "paused";
    return this.#status === "exited" && this.restarts.isWaiting ? "restarting" : this.#status;
  }

  /** Its program is there: running or paused. */
  get isRunning(): boolean {
    return this.#status === "running";
  }

  /** What is wrong with it: why it does not end, or how its last run ended or failed to start. */
  get error(): string {
    return this.#stuck ?? this.run.error;
  }

  /** Where the data of one of its volumes lies. */
  volumePath(name: string): string {
    return volumePath(this.#parts.places, name);
  }

  /** The first process, for an exec beside it. @throws {OrlopError} container_not_running */
  pid(): number {
    mustAct("exec", this.status, this);
    return this.run.pid;
  }

  get isTransient(): boolean {
    return isTransient(this.#record);
  }

  /** Makes the folders and writes the record: afterwards the container exists. */
  async establish(): Promise<void> {
    if (this.#ready === undefined) mkdirSync(this.places.runDir, { mode: 0o700 });
    if (!this.isTransient) mkdirSync(this.places.dataDir, { mode: 0o700 });
    if (this.body.HostConfig.CgroupParent !== "")
      writeFileSync(`${this.places.runDir}/${GROUP_FILE}`, groupPathOfRecord(this.#record));
    point("container.create.directories");
    this.#isFresh = true;
    this.#cleared = Promise.resolve(true);
    if (networkModeOf(this.body).kind !== "network") this.expectStart(); // a network is told of containers that exist
    try {
      await this.#store();
    } catch (error) {
      await this.#withdraw();
      throw error;
    }
    point("container.create.recorded");
    this.#tell("create");
  }

  // ── start ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** @returns false when it runs already */
  start(): Promise<boolean> {
    return this.#queue.run(async () => {
      if (!mustAct("start", this.status, this)) return false;
      this.restarts.cancelTimer();
      if (this.#record.restarts !== undefined) this.#record = { ...this.#record, restarts: noRestarts };
      await this.#startNow();
      return true;
    });
  }

  /** By its restart policy, unless it was stopped, started or removed meanwhile. A start that fails ends the restarting. */
  #startAgain(): Promise<void> {
    return this.#queue.run(async () => {
      if (this.status !== "restarting") return;
      point("container.restart.due");
      try {
        await this.#startNow();
      } catch (error) {
        log("warn", `container ${this.id} could not be started again`, error); // it is written down
      }
    });
  }

  async #startNow(): Promise<void> {
    const expected = this.#expected;
    this.#expected = undefined;
    let plan = expected?.plan;
    try {
      if (this.#cleared !== undefined && !(await settlesWithin(this.#cleared, PATIENCE_MS)))
        throw await this.#unkillable("start", "what ran before has not ended");
      plan ??= this.#takePlan();
      await this.#launch(plan, expected);
    } catch (failure) {
      throw await this.#startFailed(failure, plan);
    }
  }

  /** Begins what the client of a new `--rm` container is about to ask for. */
  expectStart(): void {
    const plan = this.#plan?.plan;
    // Volumes are mounted first.
    if (!this.isTransient || !this.#isFresh || plan === undefined || this.#volumes.areAny) return;
    this.#plan = undefined;
    this.#isFresh = false;
    point("container.start.planned");
    const expected = new ExpectedStart(plan, this.#spawn(plan, true));
    this.#expected = expected;
    void this.#parts.background(`expecting the start of ${this.id}`, async () => {
      if (!(await expected.isOverdue())) return;
      await this.#queue.run(async () => {
        if (this.#expected === expected) await this.#withdraw();
      });
    });
  }

  /** The start that was begun is not to be. */
  async #withdraw(): Promise<void> {
    const expected = this.#expected;
    this.#expected = this.#plan = undefined;
    if (expected === undefined) return;
    await expected.withdraw();
    this.#clear([this.places.layers]); // the kernel takes a volatile overlay's directories once
  }

  #takePlan(): StartPlan {
    const made = this.#plan;
    this.#plan = undefined;
    // The machine's mounts may be others a while later.
    if (made !== undefined && performance.now() - made.madeMs < 1000) return made.plan;
    return planStart(this.id, this.#record, this.#parts, this.#parts.donationsFor(this.body));
  }

  async #launch(plan: StartPlan, expected: ExpectedStart | undefined): Promise<void> {
    this.execs.clear();
    const arrivals = this.#io.takeArrivals();
    const waits = expected !== undefined || arrivals.length > 0;
    try {
      await this.#volumes.acquire();
      const process = await (expected?.take() ?? this.#begin(plan, waits));
      if (waits) await this.#io.letIn(process, arrivals);
      const started = await process.link.started;
      this.#process = process;
      this.#cleared = undefined;
      this.#status = "running";
      this.#mustEnd = false;
      const run = { ...neverRun, status: "running", pid: started.pid, startedNs: String(started.startedNs) } as const;
      await this.#write(run, this.#withRestarts({ isWaiting: false }));
      point("container.start.recorded");
      this.#tell("start");
      this.#watch(process, plan.groupPath);
      this.health.watch(true);
      if (expected !== undefined) this.#parts.noteStart(this.#record);
    } catch (error) {
      this.#io.dismiss(arrivals);
      throw error;
    }
  }

  /** @param waits at its gate */
  #begin(plan: StartPlan, waits: boolean): Promise<ContainerProcess> {
    if (!this.#isFresh) {
      rmSync(this.places.exitRecord, { force: true });
      mkdirSync(this.places.runDir, { recursive: true, mode: 0o700 }); // gone after a reboot
    }
    this.#isFresh = false;
    point("container.start.planned");
    return this.#spawn(plan, waits);
  }

  /** Its networks, and its process in them. @param waits at its gate */
  async #spawn(plan: StartPlan, waits: boolean): Promise<ContainerProcess> {
    const ready = this.#ready;
    this.#ready = undefined;
    if (ready !== undefined) {
      const process = await ContainerProcess.finish(this.#parts.executor, ready.finish(plan.steps), this.places.socket);
      if (process !== undefined) return process;
      await this.#parts.clearAway(plan.groupPath, [this.places.layers]); // the kernel takes a volatile overlay's directories once
    }
    const network = await this.#parts.networks.attach(this);
    const begin = waits ? ContainerProcess.spawn : ContainerProcess.spawnThrough;
    return begin(this.#parts.executor, [...network, ...plan.steps], this.places.socket);
  }

  /** Takes note of a failed start; a `--rm` container goes with it. The error for the caller. */
  async #startFailed(failure: unknown, plan: StartPlan | undefined): Promise<OrlopError> {
    const { error, exitCode } = explainFailure(failure, plan?.spec);
    if (error.code !== "unkillable") this.#clear(); // else that is under way
    if (this.isTransient) {
      await this.#vanish({ ...this.run, exitCode, error: error.message });
    } else {
      await this.#write({ ...this.run, exitCode, error: error.message }, this.#withRestarts({ isWaiting: false }));
    }
    return error;
  }

  // ── while it runs ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Goes on with what an earlier engine began, and may not have written down. */
  async adopt(process: ContainerProcess, groupPath: string): Promise<void> {
    const started = await process.link.started;
    this.#process = process;
    this.#status = "running";
    this.#isPaused = this.#group.isFrozen();
    this.#volumes.adopt();
    if (this.run.status !== "running")
      await this.#write({ ...neverRun, status: "running", pid: started.pid, startedNs: String(started.startedNs) });
    this.#watch(process, groupPath);
    this.health.watch(false);
  }

  /** Its monitor is there and does not answer yet: it is taken for running. @param found it did, and all else is done */
  presume(found: Promise<void>): void {
    this.#status = "running";
    this.#stuck = "its monitor does not answer";
    this.#volumes.adopt();
    this.#ended = found.then(() => {
      this.#stuck = undefined;
      return this.#process === undefined ? undefined : this.#ended;
    });
  }

  /** Takes note of an end that no engine saw. */
  async settle(end: End, groupPath: string): Promise<void> {
    if (!this.isTransient || end.kind === "lost") return this.#takeEnd(end, groupPath);
    const ended = recordOfEnd(this.run, end, this.#parts.machine.cgroups, groupPath);
    this.#status = "exited";
    this.#record = { ...this.#record, run: ended };
    this.#clear();
    void this.#parts.background(`keeping ${this.id} for its client`, async () => {
      await new Promise((resolve) => setTimeout(resolve, COLLECT_MS));
      await this.#queue.run(async () => {
        if (this.#status === "exited" && this.run === ended) await this.#vanish(ended);
      });
    });
  }

  #watch(process: ContainerProcess, groupPath: string): void {
    this.#ended = process.ended
      .then((end) => this.#takeEnd(end, groupPath))
      .catch((error: unknown) => log("error", `the end of container ${this.id} could not be recorded`, error));
  }

  async #takeEnd(end: End, groupPath: string): Promise<void> {
    point("container.exit.known");
    this.#left = this.#process?.link.closed ?? Promise.resolve();
    this.#process = undefined;
    this.health.rest();
    this.#isPaused = false;
    this.#stuck = undefined;
    const ended = recordOfEnd(this.run, end, this.#parts.machine.cgroups, groupPath);
    // Only its first process is known to be gone where the monitor said so.
    // Not so its networks: what holds their ports is told after all containers are known to run or not.
    const isLost = end.kind === "lost";
    if (isLost) await settlesWithin(this.#endGroup(groupPath), LOST_PATIENCE_MS);
    if (isLost || !this.isTransient || this.#volumes.areAny) this.#clear(); // else in one with its files
    this.#status = "exited";
    if (this.isTransient) {
      this.#record = { ...this.#record, run: ended };
      this.#tellEnd(ended);
      this.#waiters.tell("exit", ended);
      await this.#vanish(ended);
      return;
    }
    const { run, restarts } = this.restarts.afterEnd(ended);
    await this.#write(run, this.#withRestarts(restarts));
    point("container.exit.recorded");
    if (restarts.isWaiting) point("container.restart.recorded");
    this.#tellEnd(ended);
    this.#waiters.tell("exit", ended);
    this.restarts.schedule();
  }

  /**
   * A paused container goes on when this is to end it; another signal waits for it. Resolves behind SIGKILL when it has ended.
   *
   * @param signal as `parseSignal` reads it. @throws {OrlopError} bad_value, container_not_running, unkillable
   */
  async kill(signal: string): Promise<void> {
    const number = parseSignal(signal);
    mustAct("kill", this.status, this);
    if (this.restarts.hasPolicy) await this.#stayStopped();
    await (number === SIGKILL ? this.#killInTime("kill") : this.#signal(number));
  }

  /**
   * Ends the program: its stop signal, SIGKILL after the timeout.
   *
   * @param seconds -1: never; undefined: the container's own
   * @param signal  as `parseSignal` reads it; undefined: the container's own
   * @returns false when it did not run
   * @throws {OrlopError} unkillable, 5 seconds after SIGKILL
   */
  stop(seconds?: number, signal?: string, doing = "stop"): Promise<boolean> {
    const number = signal === undefined ? stopSignalOf(this.body) : parseSignal(signal);
    return this.#queue.run(async () => {
      if (!mustAct("stop", this.status, this)) return false;
      const isWaiting = this.restarts.isWaiting;
      await this.#stayStopped();
      if (!isWaiting) await this.#stopNow(doing, number, seconds);
      return true;
    });
  }

  /** The machine is being shut down. Unlike `stop` this does not keep its restart policy from bringing it back later. */
  shutDown(): Promise<boolean> {
    this.restarts.rest();
    return this.#queue.run(async () => {
      if (!this.isRunning) return false;
      await this.#stopNow("stop", stopSignalOf(this.body));
      return true;
    });
  }

  async #stopNow(doing: string, signal: number, seconds?: number): Promise<void> {
    const timeout = seconds ?? this.body.StopTimeout ?? STOP_SECONDS;
    const ended = this.#signal(signal, true).then(() => this.#ended);
    if (timeout < 0) await ended;
    else if (!(await settlesWithin(ended, timeout * 1000))) await this.#killInTime(doing);
    this.#tell("stop");
  }

  /** SIGKILL, and its end, which is not waited for for ever. @throws {OrlopError} unkillable */
  async #killInTime(doing: string): Promise<void> {
    const ended = this.#signal(SIGKILL).then(() => this.#ended);
    if (await settlesWithin(ended, PATIENCE_MS)) return;
    const failure = await this.#unkillable(doing, "tried to kill container, but did not receive an exit event");
    if (!this.isRunning) return; // meanwhile
    this.#stuck = failure.message;
    throw failure;
  }

  async #unkillable(doing: string, what: string): Promise<OrlopError> {
    const reason = await explainUnkillable(this.#parts.machine, groupPathOfRecord(this.#record), this.run.pid);
    return OrlopError.of("unkillable", { doing, id: this.id, name: this.name, what, reason });
  }

  /** Its restart policy is not to undo what is being done by hand; written down first, as this engine may not see the end. */
  async #stayStopped(): Promise<void> {
    this.restarts.cancelTimer();
    if (!this.restarts.hasPolicy || this.restarts.state.isStopped) return;
    await this.#change(this.#withRestarts({ isStopped: true, isWaiting: false }));
    point("container.restart.forbidden");
  }

  /** Nothing where nothing is kept. */
  #withRestarts(change: Partial<RestartState>): Pick<ContainerRecord, "restarts"> {
    if (!this.restarts.hasPolicy && this.#record.restarts === undefined) return {};
    return { restarts: { ...this.restarts.state, ...change } };
  }

  /** The machine was started since the last run. */
  async takeBoot(): Promise<void> {
    const restarts = this.restarts.afterBoot();
    if (restarts === undefined) return;
    await this.#change({ restarts });
    point("container.restart.after-boot");
    this.restarts.schedule();
  }

  /** `stop`, where it runs, and `start`. */
  async restart(seconds?: number, signal?: string): Promise<void> {
    await this.stop(seconds, signal, "restart");
    await this.start();
    this.#tell("restart");
  }

  /** @param ends it is to end by this */
  async #signal(number: number, ends = number === SIGKILL || number === stopSignalOf(this.body)): Promise<void> {
    if (this.#process === undefined) return;
    this.#process.signal(number);
    this.#tell("kill", { signal: String(number) });
    if (number === SIGKILL) this.#mustEnd = true;
    if (ends && (this.#isPaused || (number === SIGKILL && this.#group.isFrozen()))) await this.#thaw();
  }

  // ── changed while it lives ───────────────────────────────────────────────────────────────────────────────────────

  /** Every process of it stands still. @throws {OrlopError} container_…, pause_failed */
  pause(): Promise<void> {
    return this.#queue.run(async () => {
      mustAct("pause", this.status, this);
      try {
        await this.#group.freeze();
      } catch (error) {
        mustAct("pause", this.status, this); // it may have ended meanwhile, and its group with it
        throw error;
      }
      this.#isPaused = this.isRunning;
      if (this.#isPaused) this.#tell("pause");
      if (this.#mustEnd) await this.#thaw();
    });
  }

  /** @throws {OrlopError} container_not_paused */
  unpause(): Promise<void> {
    return this.#queue.run(async () => {
      mustAct("unpause", this.status, this);
      await this.#thaw();
    });
  }

  async #thaw(): Promise<void> {
    try {
      await this.#group.thaw();
    } catch (error) {
      if (this.isRunning && !this.#mustEnd) throw error; // else its group may be gone
    }
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#tell("unpause");
  }

  /** @returns the name until now, which is still reserved. @throws {OrlopError} container_removing, same_name */
  rename(name: string): Promise<string> {
    return this.#queue.run(async () => {
      const old = this.name;
      if (this.#status === "removing") throw OrlopError.of("container_removing", { id: this.id, name: old });
      if (old === name) throw OrlopError.of("same_name", { name });
      await this.#change({ name });
      await this.#parts.networks.renamed(this);
      this.#tell("rename", { oldName: `/${old}` });
      return old;
    });
  }

  /** Of a running container the limits change at once: all of them, or none. @throws {OrlopError} update_…, bad_value */
  update(update: ContainerUpdate): Promise<void> {
    return this.#queue.run(async () => {
      if (this.#status === "removing") throw OrlopError.of("container_removing", { id: this.id, name: this.name });
      const HostConfig = updateHostConfig(this.body.HostConfig, update);
      const limits = (host: ContainerCreateBody["HostConfig"]) => limitsOf(host, this.#parts.machine, findBlockDevice);
      const after = limits(HostConfig);
      if (this.isRunning) await this.#group.changeLimits(limits(this.body.HostConfig), after);
      await this.#withdraw();
      await this.#change({ body: { ...this.body, HostConfig } });
      this.#tell("update");
    });
  }

  // ── networks ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The networks that it is in while it runs. */
  get endpoints(): readonly AskedEndpoint[] {
    return endpointsOf(this.body, this.#record.endpoints);
  }

  /** "80/tcp" …: its image's and those asked for. */
  get exposedPorts(): readonly string[] {
    return [...new Set([...(this.#record.image?.config.ExposedPorts ?? []), ...Object.keys(this.body.ExposedPorts)])];
  }

  /** At once when it runs, else with its next start. @throws {OrlopError} connect_refused, already_connected … */
  connect(network: Network, settings: EndpointSettings): Promise<void> {
    return this.#queue.run(async () => {
      const now = await this.#endpointsByName();
      if (now[network.name] !== undefined)
        throw OrlopError.of("already_connected", { name: this.name, network: network.name });
      await this.#parts.networks.connect(this, network, settings);
      this.#plan = undefined;
      await this.#change({ endpoints: { ...now, [network.name]: settings } });
    });
  }

  /** @throws {OrlopError} connect_refused, not_connected */
  disconnect(network: Network): Promise<void> {
    return this.#queue.run(async () => {
      const { [network.name]: gone, ...rest } = await this.#endpointsByName();
      if (gone === undefined) throw OrlopError.of("not_connected", { name: this.name, network: network.name });
      await this.#parts.networks.disconnect(this, network);
      await this.#change({ endpoints: rest });
    });
  }

  async #endpointsByName(): Promise<Record<string, EndpointSettings>> {
    if (networkModeOf(this.body).kind !== "network")
      throw OrlopError.of("connect_refused", { name: this.name, mode: this.body.HostConfig.NetworkMode || "none" });
    const named = this.endpoints.map(async ({ network, settings }) => {
      const known = await this.#parts.networks.get(network).catch(() => undefined); // gone meanwhile
      return [known?.name ?? network, settings] as const;
    });
    return Object.fromEntries(await Promise.all(named));
  }

  /** @throws {OrlopError} container_not_running */
  resize(rows: number, columns: number): void {
    mustAct("resize", this.status, this);
    this.#process?.resize(rows, columns);
    this.#tell("resize", { height: String(rows), width: String(columns) });
  }

  // ── waiting, attaching, logs ─────────────────────────────────────────────────────────────────────────────────────

  /** Resolves with the run that ended. */
  wait(condition: WaitCondition, signal: AbortSignal): Promise<RunRecord> {
    if (condition === "removed") return this.#waiters.next("removed", signal);
    if (condition === "not-running" && this.#status !== "running") return Promise.resolve(this.run);
    return this.#waiters.next("exit", signal);
  }

  /** To be asked before a client's connection is taken over. @throws {OrlopError} container_paused */
  checkAttach(): void {
    mustAct("attach", this.status, this);
  }

  /** Resolves when the client or the container has left. */
  attach(request: AttachRequest, client: Duplex): Promise<void> {
    return this.#io.attach(request, client);
  }

  /** The log as clients see it: framed, or raw with a terminal. @throws {OrlopError} logs_unreadable */
  logs(query: LogQuery, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    return this.#io.logs(query, signal);
  }

  // ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Everything of it goes.
   *
   * @param withVolumes its anonymous volumes too, but for those that another container has
   * @throws {OrlopError} container_running without force, container_removing, unkillable
   */
  async remove(force: boolean, withVolumes = false): Promise<void> {
    if (force) await this.#stayStopped();
    if (force && this.#status === "running") {
      await this.#killInTime("remove");
      if (this.isTransient) return; // its end took everything with it
    }
    await this.#queue.run(async () => {
      mustAct("remove", this.status, this);
      await this.#withdraw();
      await this.#vanish(this.run, withVolumes);
    });
  }

  /** The name is free and the record gone when this resolves; the files follow. */
  async #vanish(last: RunRecord, withVolumes = this.isTransient): Promise<void> {
    this.#status = "removing";
    this.restarts.cancelTimer();
    point("container.remove.begun");
    await this.#volumes.detach(!withVolumes);
    await this.#parts.storeOf(this.#record).apply({ remove: { kind: "container", id: this.id } });
    point("container.remove.recorded");
    this.#parts.forget(this);
    await this.#volumes.leave(!withVolumes);
    this.#io.dismiss(this.#io.takeArrivals());
    this.#tell("destroy");
    this.#waiters.tell("removed", last);
    this.#waiters.tell("exit", last);
    const cleared = this.#cleared;
    // As long as the folders are there, the next engine knows that something is left, and clears it away.
    void this.#parts.background(`removing what is left of ${this.id}`, async () => {
      const isMounted = this.body.HostConfig.IpcMode === "shareable";
      const clear = isMounted ? this.#parts.clearAway : this.#parts.sweepAway;
      if (cleared === undefined) await this.#clearAway(this.places.owned, clear);
      else if (await cleared) await this.#parts.removeFiles(this.places.owned);
    });
  }

  #clear(paths: readonly string[] = []): Promise<boolean> {
    this.#cleared = this.#parts.background(`clearing ${this.id}`, () => this.#clearAway(paths));
    return this.#cleared;
  }

  #endGroup(groupPath: string): Promise<boolean> {
    return this.#parts.background(`ending what runs of ${this.id}`, () => this.#parts.clearAway(groupPath, []));
  }

  /** Its group goes, and these folders behind it. */
  async #clearAway(paths: readonly string[], clear = this.#parts.clearAway): Promise<void> {
    // At once, so that who wants its ports and addresses next knows that they are on their way.
    const detached = this.#parts.networks.detach(this);
    detached.catch(() => undefined); // told below
    await this.#left;
    const shared = this.body.HostConfig.IpcMode === "shareable" ? [this.places.shm] : [];
    await Promise.all([detached, clear(groupPathOfRecord(this.#record), paths, shared)]);
    await this.#volumes.release();
  }

  #tell(action: ContainerAction, more?: Readonly<Record<string, string>>): void {
    publishContainerEvent(this.#parts.events, this.#record, action, more);
  }

  #tellEnd({ startedNs, endedNs, exitCode, oomKilled }: RunRecord): void {
    if (oomKilled) this.#tell("oom");
    const seconds = startedNs === "0" ? 0n : (BigInt(endedNs) - BigInt(startedNs)) / 1_000_000_000n;
    this.#tell("die", { exitCode: String(exitCode), execDuration: String(seconds) });
  }

  /** Of a `--rm` container only its being there is stored: its monitor's socket and exit record say the rest. */
  async #write(run: RunRecord, more: Pick<ContainerRecord, "restarts"> = {}): Promise<void> {
    this.#record = { ...this.#record, run, ...more };
    if (!this.isTransient) await this.#store();
  }

  async #store(): Promise<void> {
    await this.#parts.storeOf(this.#record).apply({ put: encodeRecord(this.#record) });
  }

  /** What was asked for changes, also of a `--rm` container; all of it or nothing. */
  async #change(change: Partial<Pick<ContainerRecord, "name" | "body" | "endpoints" | "restarts">>): Promise<void> {
    const { name, body, endpoints } = this.#record;
    this.#record = { ...this.#record, ...change };
    try {
      await this.#store();
    } catch (error) {
      this.#record = { ...this.#record, name, body, ...(endpoints && { endpoints }) };
      throw error;
    }
  }
}
