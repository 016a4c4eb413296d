/** One exec: a further process in a running container, from its creation until its exit code is no longer kept. */

import { rmSync } from "node:fs";
import { OrlopError } from "../../base/errors.ts";
import { settlesWithin } from "../../base/in-time.ts";
import { log } from "../../base/log.ts";
import { point } from "../../base/point.ts";
import { SIGKILL } from "../../kernel/signals.ts";
import type { Step } from "../../kernel/step.ts";
import type { ExecCreateBody } from "../../spec/engine-api-exec.ts";
import type { SessionEnd } from "../containers/attach-session.ts";
import { type ContainerAction, publishContainerEvent } from "../containers/container-events.ts";
import { ContainerProcess, checkTerminalSize, type End } from "../containers/container-process.ts";
import type { ContainerRecord } from "../containers/container-record.ts";
import { defaultDetachKeys, parseDetachKeys } from "../containers/detach-keys.ts";
import { exitStatusOf } from "../containers/exit-status.ts";
import { explainFailure } from "../containers/start-failure.ts";
import type { EngineParts } from "../engine-parts.ts";
import type { AskedEndpoint } from "../networks/network-mode.ts";
import type { ContainerPlaces } from "../places.ts";
import type { ExecClient } from "./exec-client.ts";
import { type ExecPlan, isContainerGone, planExecStart } from "./exec-plan.ts";
import { type ExecPlaces, type ExecRecord, encodeExecRecord, execPlaces, writeExecRecord } from "./exec-record.ts";
import { endLostExec } from "./lost-exec.ts";

/** The container, as an exec sees it. */
export interface ExecHost {
  readonly record: Pick<ContainerRecord, "id" | "name" | "body" | "image">;
  readonly places: ContainerPlaces;
  /** The networks that the container is in. */
  readonly endpoints: readonly AskedEndpoint[];
  /** The container's first process. @throws {OrlopError} container_not_running: no exec can be started in it now */
  pid(): number;
}

export type ExecStatus = "created" | "starting" | "running" | "exited";

/** How long killing the process of a lost exec may delay the report of its end. */
const KILL_TIMEOUT_MS = 1000;
const never = new Promise<never>(() => undefined);

export class Exec {
  readonly #parts: EngineParts;
  readonly #host: ExecHost;
  readonly record: ExecRecord;
  readonly places: ExecPlaces;
  /** The size of its record. */
  readonly sizeBytes: number;
  readonly #ended = Promise.withResolvers<void>();
  #status: ExecStatus = "created";
  #process: ContainerProcess | undefined;
  #pid = 0;
  #exitCode: number | undefined;
  #size: readonly [rows: number, columns: number];
  /** The terminal was resized after the plan was made. */
  #isResized = false;
  /** When it ended, by `performance.now()`. */
  endedMs: number | undefined;

  constructor(parts: EngineParts, host: ExecHost, record: ExecRecord) {
    this.#parts = parts;
    this.#host = host;
    this.record = record;
    this.places = execPlaces(host.places, record.id);
    this.sizeBytes = Buffer.byteLength(encodeExecRecord(record));
    this.#size = record.body.ConsoleSize;
  }

  get id(): string {
    return this.record.id;
  }

  get containerId(): string {
    return this.#host.record.id;
  }

  get body(): ExecCreateBody {
    return this.record.body;
  }

  get status(): ExecStatus {
    return this.#status;
  }

  /** Its pid in the host's PID namespace; 0 when it does not run. */
  get pid(): number {
    return this.#status === "running" ? this.#pid : 0;
  }

  /** undefined until it has ended. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** Never rejects. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** What its start would do, with a client. Nothing is made. @throws {OrlopError} container_not_running, bad_value */
  foresee(): readonly Step[] {
    return this.#plan(false).steps;
  }

  establish(): void {
    writeExecRecord(this.places, this.record);
    point("exec.create.recorded");
    this.#publish(`exec_create: ${this.body.Cmd.join(" ")}`);
  }

  /** Reserves the exec for the caller, who then calls `start`. @throws {OrlopError} exec_running, exec_ended, container_not_running */
  claim(size?: readonly [rows: number, columns: number]): void {
    if (this.#status === "exited") throw OrlopError.of("exec_ended", { id: this.id });
    if (this.#status !== "created") throw OrlopError.of("exec_running", { id: this.id });
    this.#host.pid();
    this.#status = "starting";
    if (size !== undefined) this.#size = size;
  }

  /**
   * Starts a claimed exec. Resolves when the client has closed or has all output; without a client, when the process runs.
   *
   * @throws {OrlopError} it did not start; its exit code is set then
   */
  async start(client?: ExecClient): Promise<void> {
    let plan: ExecPlan | undefined;
    try {
      plan = this.#plan(client === undefined);
      const attached = client === undefined ? await this.#launchDetached(plan) : await this.#launch(plan, client);
      if ((await attached?.session) === "detached") this.#publish("exec_detach");
    } catch (failure) {
      if (this.#status !== "starting") throw failure;
      const { id, name } = this.#host.record;
      const reason = isContainerGone(failure) ? OrlopError.of("container_not_running", { id, name }, failure) : failure;
      const { error, exitCode } = explainFailure(reason, plan?.spec, "exec");
      this.#recordEnd(exitCode);
      throw error;
    }
  }

  /** Blocks starts until it is known whether an earlier engine has started the exec. */
  blockStart(): void {
    this.#status = "starting";
  }

  /** No earlier engine has started it: it can be started. */
  allowStart(): void {
    this.#status = "created";
  }

  /** Takes over an exec that an earlier engine started. */
  async adopt(process: ContainerProcess): Promise<void> {
    const { pid } = await process.link.started;
    this.#run(process, pid);
  }

  /** Records an end that happened while no engine ran. */
  recordUnseenEnd(exitCode: number): void {
    this.#end(exitCode);
  }

  signal(signal: number): void {
    this.#process?.signal(signal);
  }

  /** Allowed before the start too. @throws {OrlopError} exec_ended, bad_value */
  resize(rows: number, columns: number): void {
    if (this.#status === "exited") throw OrlopError.of("exec_ended", { id: this.id });
    checkTerminalSize(rows, columns);
    this.#size = [rows, columns];
    this.#isResized = this.#process === undefined;
    this.#process?.resize(rows, columns);
  }

  /** Removes its files, after it was forgotten. */
  discard(): void {
    this.#process?.[Symbol.dispose]();
    rmSync(this.places.directory, { recursive: true, force: true });
  }

  #plan(detached: boolean): ExecPlan {
    this.#isResized = false;
    const request = {
      container: this.#host.record,
      environment: this.#parts.networks.knownLinkEnvironment({ ...this.#host.record, endpoints: this.#host.endpoints }),
      pid: this.#host.pid(),
      body: this.body,
      consoleSize: this.#size,
      detached,
      places: this.places,
    };
    return planExecStart(request, this.#parts);
  }

  async #launchDetached(plan: ExecPlan): Promise<undefined> {
    const process = await ContainerProcess.spawnThrough(this.#parts.executor, plan.steps, this.places.socket);
    this.#begin(process, (await process.link.started).pid);
  }

  /** Connects the client before the program runs. */
  async #launch({ steps }: ExecPlan, client: ExecClient): Promise<{ readonly session: Promise<SessionEnd> }> {
    const { AttachStdin, AttachStdout, AttachStderr, Tty } = this.body;
    const process = await ContainerProcess.spawn(this.#parts.executor, steps, this.places.socket);
    const detachKeys = Tty ? this.#detachKeys() : [];
    // A client that has read to the end asks for the exit code next, so the end is recorded before the client sees it. If the exec did not
    // start, the caller reports the error.
    const over = process.link.started.then(
      () => this.ended,
      () => never,
    );
    const request = { stdin: AttachStdin, stdout: AttachStdout, stderr: AttachStderr, detachKeys };
    const joined = await client.join(process, request, over).catch(async (error: unknown) => {
      await process.link.started; // throws the step that failed, which is the reason
      throw error;
    });
    process.link.go();
    this.#begin(process, (await process.link.started).pid);
    return joined;
  }

  #detachKeys(): readonly number[] {
    return this.body.DetachKeys === "" ? defaultDetachKeys : parseDetachKeys(this.body.DetachKeys);
  }

  /** Publishes the start before the end, which may be known already. */
  #begin(process: ContainerProcess, pid: number): void {
    point("exec.start.started");
    this.#publish(`exec_start: ${this.body.Cmd.join(" ")}`);
    this.#run(process, pid);
  }

  #run(process: ContainerProcess, pid: number): void {
    this.#process = process;
    this.#pid = pid;
    this.#status = "running";
    if (this.#isResized) process.resize(...this.#size);
    process.ended
      .then(async (end) => {
        this.#process = undefined;
        if (end.kind === "lost") await this.#endLost();
        this.#recordEnd(exitCodeOf(end));
        process[Symbol.dispose](); // the monitor waits for this before it closes the clients' connections
      })
      .catch((error: unknown) => log("error", `the end of exec ${this.id} could not be noted`, error));
  }

  /** The monitor is gone: kills the process. */
  async #endLost(): Promise<void> {
    const ended = this.#parts.background(`ending what exec ${this.id} left`, () =>
      endLostExec(this.#parts, this.#host, this.#pid),
    );
    await settlesWithin(ended, KILL_TIMEOUT_MS);
  }

  #end(exitCode: number): void {
    this.#status = "exited";
    this.#exitCode = exitCode;
    this.endedMs = performance.now();
    this.#ended.resolve();
  }

  #recordEnd(exitCode: number): void {
    this.#end(exitCode);
    this.#publish("exec_die", { exitCode: String(exitCode) });
  }

  #publish(action: ContainerAction, more: Readonly<Record<string, string>> = {}): void {
    publishContainerEvent(this.#parts.events, this.#host.record, action, { ...more, execID: this.id });
  }
}

function exitCodeOf(end: End): number {
  return end.kind === "lost" ? 128 + SIGKILL : exitStatusOf(end.status).exitCode;
}
