/** A recording executor for tests: keeps every plan, and answers as the test tells it. Nothing reaches the kernel. */

import { type Duplex, PassThrough } from "node:stream";
import { OrlopError } from "../base/errors.ts";
import { settleable } from "../base/settleable.ts";
import type {
  Attachment,
  AttachOptions,
  BegunMonitor,
  Executor,
  Exited,
  GivenAway,
  MonitorLink,
  PlanValues,
  Started,
  StartOptions,
} from "./executor.ts";
import { encodeBeginning } from "./plan.ts";
import type { Step } from "./step.ts";

export class FakeExecutor implements Executor {
  /** Every plan, in the order of the calls. */
  readonly plans: (readonly Step[])[] = [];
  /** Every monitor that was started, in order. The test makes things happen to it. */
  readonly monitors: FakeMonitor[] = [];
  /** Every plan that was begun, in order. */
  readonly begun: FakeBegun[] = [];
  /** Decides what a plan answers; throw a StepFailure to make it fail. */
  onRun: (steps: readonly Step[]) => PlanValues = () => new Map();
  /** The pid of every program; undefined: each gets its own. */
  pid: number | undefined;
  /** What `attachMonitor` gives. */
  onAttach: (socketPath: string, options: AttachOptions) => Duplex = () => new PassThrough();

  /** What `connectTask` gives. */
  onTask: () => Duplex = () => new PassThrough();

  async run(steps: readonly Step[]): Promise<PlanValues> {
    this.plans.push(steps);
    return this.onRun(steps);
  }

  async startMonitor(steps: readonly Step[], options: StartOptions = {}): Promise<MonitorLink> {
    this.plans.push(steps);
    const values = this.onRun(steps);
    const listen = steps.find((step) => step.op === "listen");
    const monitor = new FakeMonitor(this.pid ?? this.monitors.length + 1000, listen?.path ?? "", values);
    this.monitors.push(monitor);
    if (options.go === true) monitor.go();
    return monitor;
  }

  async beginMonitor(beginning: readonly Step[]): Promise<BegunMonitor> {
    this.onRun(beginning);
    const begun = new FakeBegun(beginning, (plan) => this.startMonitor(plan));
    this.begun.push(begun);
    return begun;
  }

  async connectTask(): Promise<Duplex> {
    return this.onTask();
  }

  async connectMonitor(socketPath: string): Promise<MonitorLink> {
    const monitor = this.monitors.find((one) => one.socketPath === socketPath);
    if (monitor === undefined) throw OrlopError.of("executor_lost", { reason: `no monitor at ${socketPath}` });
    return monitor;
  }

  async attachMonitor(socketPath: string, options: AttachOptions): Promise<Attachment> {
    return { stream: this.onAttach(socketPath, options), inode: 0n, offset: 0n };
  }

  giveClient(): Promise<GivenAway> {
    throw new Error("tests of plans have no connections to give away");
  }
}

/** A begun plan, and what was done with it. */
export class FakeBegun implements BegunMonitor {
  readonly beginning: readonly Step[];
  readonly bytes: Uint8Array;
  readonly calls: string[] = [];
  /** Throw to make `finish` fail. */
  onFinish: () => void = () => undefined;
  readonly #start: (plan: readonly Step[]) => Promise<MonitorLink>;
  readonly #closed = settleable<void>();

  constructor(beginning: readonly Step[], start: (plan: readonly Step[]) => Promise<MonitorLink>) {
    this.beginning = beginning;
    this.bytes = encodeBeginning(beginning);
    this.#start = start;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  async finish(plan: readonly Step[], done: number): Promise<MonitorLink> {
    this.calls.push(`finish from ${done}`);
    this.onFinish();
    return this.#start(plan);
  }

  async withdraw(): Promise<void> {
    this.calls.push("withdraw");
    this.#closed.resolve();
  }

  /** Somebody killed it. */
  die(): void {
    this.#closed.resolve();
  }
}

/** A monitor without a container. It starts on `go()`, and ends when the test says so. */
export class FakeMonitor implements MonitorLink {
  readonly pid: number;
  readonly socketPath: string;
  readonly values: PlanValues;
  /** What was asked of it, e.g. "signal 15". */
  readonly calls: string[] = [];
  readonly #started = settleable<Started>();
  readonly #exited = settleable<Exited>();
  readonly #closed = settleable<void>();
  #log = settleable<void>();

  constructor(pid: number, socketPath: string, values: PlanValues) {
    this.pid = pid;
    this.socketPath = socketPath;
    this.values = values;
  }

  get started(): Promise<Started> {
    return this.#started.promise;
  }

  get exited(): Promise<Exited> {
    return this.#exited.promise;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  go(): void {
    this.calls.push("go");
    this.#started.resolve({ pid: this.pid, startedNs: 1_000_000_000n });
  }

  letGo(): void {
    // it has no mounts
  }

  signal(signal: number): void {
    this.calls.push(`signal ${signal}`);
  }

  resize(rows: number, columns: number): void {
    this.calls.push(`resize ${rows} ${columns}`);
  }

  closeStdin(): void {
    this.calls.push("close-stdin");
  }

  watchLog(): Promise<void> {
    return this.#log.promise;
  }

  watchMemory(listener: (kills: number) => void): void {
    this.outOfMemory = listener;
  }

  async withdraw(): Promise<void> {
    this.calls.push("withdraw");
    this.#closed.resolve();
  }

  [Symbol.dispose](): void {
    this.calls.push("dispose");
    this.#closed.resolve();
  }

  // ── what the test makes happen ───────────────────────────────────────────────────────────────────────────────────
  outOfMemory: (kills: number) => void = () => undefined;

  /** A step of the child failed, or the monitor died before the program ran. */
  fail(error: Error): void {
    this.#started.reject(error);
    this.#exited.reject(error);
    this.#closed.resolve();
  }

  /** The log grew. */
  logged(): void {
    this.#log.resolve();
    this.#log = settleable();
  }

  /** The program ended with this wait status. */
  exit(status: number, endedNs = 2_000_000_000n): void {
    this.#exited.resolve({ status, endedNs });
    this.#log.resolve();
    this.#closed.resolve();
  }
}
