/** The control connection to one monitor: its answers settle promises. */

import { OrlopError } from "../base/errors.ts";
import { settleable } from "../base/settleable.ts";
import { Conversation, type Listener } from "./conversation.ts";
import { type Exited, type MonitorLink, type PlanValues, type Started, StepFailure } from "./executor.ts";
import { type Answer, encodeBare, encodeResize, encodeSignal, FrameDecoder } from "./frame.ts";
import type { Step } from "./step.ts";

export class SocketMonitorLink implements MonitorLink {
  #conversation: Conversation | undefined;
  #isClosed = false;
  #steps: readonly Step[];
  readonly #values = new Map<number, Uint8Array>();
  readonly #decoder = new FrameDecoder();
  readonly #ready = settleable<void>();
  readonly #done = settleable<void>();
  readonly #started = settleable<Started>();
  readonly #exited = settleable<Exited>();
  readonly #closed = settleable<void>();
  #logged: PromiseWithResolvers<void> | undefined;
  #hasStarted = false;
  #hasExited = false;
  #pid = 0;
  #onOutOfMemory: ((kills: number) => void) | undefined;
  /** A count of kills that came before there was a listener. */
  #untoldKills: number | undefined;

  private constructor(steps: readonly Step[]) {
    this.#steps = steps;
  }

  /**
   * @param steps the plan that is being started, for failures; none for a monitor that runs already
   * @throws {OrlopError} executor_lost
   */
  static async open(path: string, steps: readonly Step[]): Promise<SocketMonitorLink> {
    const link = new SocketMonitorLink(steps);
    link.#conversation = await Conversation.open(path, link.#listener());
    return link;
  }

  /** Made in a function that has no plan in scope: closures keep what they can see for as long as the connection lives. */
  #listener(): Listener {
    return {
      data: (bytes) => this.#takeBytes(bytes),
      closed: (error) => {
        this.#rejectAll(lost(error?.message ?? "the connection is closed", error));
        this.#isClosed = true;
        this.#closed.resolve();
      },
    };
  }

  /** The child exists (SPAWNED), or the monitor has sent its state (STATUS). */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** All of the parent's steps have been carried out. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  get pid(): number {
    return this.#pid;
  }

  get values(): PlanValues {
    return this.#values;
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

  send(bytes: Uint8Array): void {
    this.#conversation?.send(bytes);
  }

  /** Sends the rest of a plan that was begun. @param plan the whole plan, for failures */
  goOnWith(plan: readonly Step[], rest: Uint8Array): void {
    this.#steps = plan;
    this.send(rest);
  }

  go(): void {
    this.send(encodeBare("GO"));
  }

  letGo(): void {
    this.#conversation?.finish();
  }

  signal(signal: number): void {
    this.send(encodeSignal(signal));
  }

  resize(rows: number, columns: number): void {
    this.send(encodeResize(rows, columns));
  }

  closeStdin(): void {
    this.send(encodeBare("CLOSE_STDIN"));
  }

  watchLog(): Promise<void> {
    if (this.#hasExited) return Promise.resolve();
    if (this.#logged === undefined) {
      this.#logged = settleable();
      if (this.#isClosed) this.#logged.reject(lost("the connection is closed"));
      else this.send(encodeBare("WATCH_LOG"));
    }
    return this.#logged.promise;
  }

  watchMemory(listener: (kills: number) => void): void {
    this.#onOutOfMemory = listener;
    if (this.#untoldKills !== undefined) listener(this.#untoldKills);
    this.#untoldKills = undefined;
  }

  withdraw(): Promise<void> {
    this.#conversation?.finish();
    return this.closed;
  }

  [Symbol.dispose](): void {
    this.#conversation?.close();
  }

  #takeBytes(chunk: Uint8Array): void {
    try {
      for (const answer of this.#decoder.push(chunk)) this.#take(answer);
    } catch (error) {
      this.#lose((error as Error).message, error);
    }
  }

  #take(answer: Answer): void {
    switch (answer.kind) {
      case "VALUE":
        this.#values.set(answer.step, answer.value);
        return;
      case "SPAWNED":
        this.#pid = answer.pid;
        this.#ready.resolve();
        return;
      case "STARTED":
        this.#start({ pid: answer.pid, startedNs: answer.startedNs });
        return;
      case "EXITED":
        this.#exit({ status: answer.status, endedNs: answer.endedNs });
        return;
      case "LOGGED":
        this.#settleLog();
        return;
      case "OOM":
        if (this.#onOutOfMemory === undefined) this.#untoldKills = answer.kills;
        else this.#onOutOfMemory(answer.kills);
        return;
      case "STATUS":
        this.#takeStatus(answer);
        return;
      case "FAILED":
        this.#fail(new StepFailure(this.#steps, answer.step, answer.errno, answer.detail));
        return;
      case "DONE":
        this.#done.resolve();
        return;
      default:
        this.#lose(`${answer.kind} on a control connection`);
    }
  }

  #takeStatus(status: Extract<Answer, { kind: "STATUS" }>): void {
    this.#pid = status.pid;
    this.#ready.resolve();
    if (status.state === "running") this.#start({ pid: status.pid, startedNs: status.timeNs });
    if (status.state !== "exited") return;
    this.#start({ pid: 0, startedNs: 0n });
    this.#exit({ status: status.status, endedNs: status.timeNs });
  }

  #start(started: Started): void {
    this.#hasStarted = true;
    this.#steps = []; // only failures before the start refer to them
    this.#pid = started.pid;
    this.#started.resolve(started);
  }

  #exit(exited: Exited): void {
    this.#hasExited = true;
    this.#exited.resolve(exited);
    this.#settleLog();
  }

  #settleLog(): void {
    this.#logged?.resolve();
    this.#logged = undefined;
  }

  /** A failure before the program runs ends everything; later ones answer a single request (RESIZE without a terminal). */
  #fail(failure: StepFailure): void {
    if (this.#hasStarted) return;
    this.#rejectAll(failure);
    this.#conversation?.close();
  }

  #lose(reason: string, cause?: unknown): void {
    this.#rejectAll(lost(reason, cause));
    this.#conversation?.close();
  }

  /** Promises that have settled already are not affected. */
  #rejectAll(error: Error): void {
    this.#ready.reject(error);
    this.#done.reject(error);
    this.#started.reject(error);
    this.#exited.reject(error);
    this.#logged?.reject(error);
    this.#logged = undefined;
  }
}

function lost(reason: string, cause?: unknown): OrlopError {
  return OrlopError.of("executor_lost", { reason }, cause);
}
