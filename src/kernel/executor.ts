/**
 * What an executor offers: the only way by which a plan leaves this process. `executor-socket.ts` is the real one,
 * `executor-fake.ts` records plans for tests, `executor-one-shot.ts` runs a plan without a supervisor.
 *
 * Waiting is done with promises that settle once, so a late reader misses nothing; there is no polling and no timer.
 */

import { constants } from "node:os";
import type { Duplex } from "node:stream";
import type { Step } from "./step.ts";

/** The steps' results (`read` …): index of the step in the plan → its value. */
export type PlanValues = ReadonlyMap<number, Uint8Array>;

/** Adds a VALUE: a large result comes in several, which are concatenated. */
export function addValue(
  values: Map<number, Uint8Array>,
  { step, value }: { readonly step: number; readonly value: Uint8Array },
): void {
  const before = values.get(step);
  values.set(step, before === undefined ? value : Buffer.concat([before, value]));
}

export interface Started {
  /** In the host's PID namespace; 0 when this link was connected after the exit. */
  readonly pid: number;
  /** Unix time; 0n when this link was connected after the exit. */
  readonly startedNs: bigint;
}

export interface Exited {
  /** As waitpid(2) gives it: exit code << 8, or the signal in the low 7 bits. */
  readonly status: number;
  /** Unix time. The log is complete once this is known. */
  readonly endedNs: bigint;
}

export interface Executor {
  /**
   * Carries out a plan without `spawn`, and gives what its steps answered.
   *
   * @throws {StepFailure} the step that failed; later steps were not begun
   * @throws {OrlopError} executor_lost
   */
  run(steps: readonly Step[], options?: { readonly signal?: AbortSignal }): Promise<PlanValues>;

  /**
   * Starts a plan with `spawn`, whose process becomes the container's monitor. Settles when the container's init exists
   * (SPAWNED); it may still be carrying out its own steps, whose failure `started` reports.
   *
   * @throws {StepFailure} a step before or of `spawn` failed: nothing is left behind
   * @throws {OrlopError} executor_lost
   */
  startMonitor(steps: readonly Step[], options?: StartOptions): Promise<MonitorLink>;

  /**
   * Carries out the beginning of a plan with `spawn`, whose rest comes later or never. Settles when its process exists.
   *
   * @throws {StepFailure} @throws {OrlopError} executor_lost
   */
  beginMonitor(beginning: readonly Step[]): Promise<BegunMonitor>;

  /** A fresh task, for a plan that is a conversation: `PlanStream`, `TreeStream`. */
  connectTask(): Promise<Duplex>;

  /** Connects to a monitor that an earlier engine started. `spawned` and what has happened since is known at once. */
  connectMonitor(socketPath: string): Promise<MonitorLink>;

  /** A stream to a container's stdio. */
  attachMonitor(socketPath: string, options: AttachOptions): Promise<Attachment>;

  /** Gives the connection of a client to a monitor, which goes on with it whatever becomes of this process. */
  giveClient(socketPath: string, client: GivenClient): Promise<GivenAway>;
}

export interface StartOptions {
  /** Send GO with the plan: the `gate` step then waits for nothing. */
  readonly go?: boolean;
}

/** A plan of which the beginning is carried out. */
export interface BegunMonitor {
  /** The bytes that were sent. Only a plan that begins with them can be finished. */
  readonly bytes: Uint8Array;
  /** Settles when it has ended by itself or was withdrawn. Never rejects. */
  readonly closed: Promise<void>;
  /**
   * Carries out the rest. Settles when all of the parent's steps are done.
   *
   * @param plan the whole plan
   * @param done the number of its steps that the beginning had
   * @throws {StepFailure} @throws {OrlopError} executor_lost: nothing is left behind
   */
  finish(plan: readonly Step[], done: number): Promise<MonitorLink>;
  /** Gives it up. Resolves when nothing of it is left. */
  withdraw(): Promise<void>;
}

/** The control connection to one monitor. Closing it before `started` undoes the container; afterwards it has no effect. */
export interface MonitorLink extends Disposable {
  /** Init's pid in the host's PID namespace; 0 when it has exited before this link was made. */
  readonly pid: number;
  /** Results of the steps on the parent's side. Complete once `started` has settled. */
  readonly values: PlanValues;
  /** The program runs (`execve` succeeded). Rejects with StepFailure when a step failed: then nothing is left behind. */
  readonly started: Promise<Started>;
  /** The program has ended and its output is in the log. Rejects with executor_lost when the monitor died before that. */
  readonly exited: Promise<Exited>;
  /** The connection has ended, from whichever side. Never rejects. */
  readonly closed: Promise<void>;
  /** Opens the gate. */
  go(): void;
  /** After the exit: the monitor may unmount the container's file systems, for which it waits a short time (native/README.md, "Order of events at exit"). */
  letGo(): void;
  /** Sends a signal to init, through its pidfd. An init that has exited is no error. */
  signal(signal: number): void;
  /** Sets the terminal's size. */
  resize(rows: number, columns: number): void;
  /** Ends the container's standard input. */
  closeStdin(): void;
  /**
   * Settles when the log has grown since the last time this settled (at once when it already has), and when the
   * container exits. Rejects with executor_lost.
   */
  watchLog(): Promise<void>;
  /**
   * Calls the listener each time memory runs out in the container's cgroup, and at once if it has before.
   *
   * @param listener kills: processes that were killed for it since the container's start; 0 where the kernel must not kill
   */
  watchMemory(listener: (kills: number) => void): void;
  /** Before the start: undoes the container. Resolves when nothing of it is left. */
  withdraw(): Promise<void>;
  /** Ends the connection. */
  [Symbol.dispose](): void;
}

export interface AttachOptions {
  /** 1 stdin, 2 stdout, 4 stderr; 8: frames with a terminal and raw bytes without, the reverse of the default. */
  readonly streams: number;
  /** Begin with the unfinished line that the log does not have yet. */
  readonly partial?: boolean;
}

export interface GivenClient {
  /** As in AttachOptions. */
  readonly streams: number;
  /** Empty: no keys detach. */
  readonly detachKeys: readonly number[];
  readonly descriptor: number;
  /** Input that was already read from it. */
  readonly input: Uint8Array;
}

export interface GivenAway {
  /** "detached": the client typed the detach keys; "ended": it has left, or the program has ended. Never rejects. */
  readonly over: Promise<"ended" | "detached">;
}

export interface Attachment {
  /**
   * Both directions, half-open allowed, paused; nothing is lost before it is resumed. From the container: raw bytes with a
   * terminal, else Docker's attach frames. To the container: standard input, which `end()` closes.
   */
  readonly stream: Duplex;
  /** The stream begins exactly where this log file ended; 0n without a log. */
  readonly inode: bigint;
  readonly offset: bigint;
}

/** The engine's link to its supervisor. */
export interface SupervisorLink extends Disposable {
  /** Tells the supervisor that clients are answered from here on. */
  serves(): void;
  /** The answer to LEAVE when the engine is not idle. (When it is, it just exits.) */
  busy(): void;
  /** Has the engine started when this process ends: an orphaned monitor, which is not the supervisor's child. */
  watch(pid: number): void;
  /** Stops the supervisor, which sends SIGTERM to this engine first. Containers run on. */
  stop(): void;
  /** The supervisor is gone. */
  readonly closed: Promise<void>;
  [Symbol.dispose](): void;
}

/** A step that failed. */
export class StepFailure extends Error {
  override readonly name = "StepFailure";
  /** undefined where the protocol itself failed (an old monitor, a broken connection). */
  readonly step: Step | undefined;
  /** The step's index in the plan; -1 without a step. */
  readonly index: number;
  /** The errno's name, e.g. "ENOENT"; "errno 524" for one without a name. */
  readonly errno: string;
  /** More than errno tells: the path, the command that was not found; "" when there is no more. */
  readonly detail: string;

  constructor(steps: readonly Step[], index: number, errno: number, detail: string) {
    const step = steps[index];
    const name = errnoName(errno);
    super([step?.op ?? "protocol", name, ...(detail === "" ? [] : [detail])].join(": "));
    this.step = step;
    this.index = step === undefined ? -1 : index;
    this.errno = name;
    this.detail = detail;
  }
}

const errnoNames = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** "ENOENT" for 2. EAGAIN and EWOULDBLOCK share a number on Linux: the first one wins. */
export function errnoName(errno: number): string {
  if (errno === constants.errno.EAGAIN) return "EAGAIN";
  return errnoNames.get(errno) ?? `errno ${errno}`;
}
