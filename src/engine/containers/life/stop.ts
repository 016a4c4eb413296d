/** How a container is ended: signals, `stop`, SIGKILL, and the error for one that does not end. */

import { OrlopError } from "../../../base/errors.ts";
import { settlesWithin } from "../../../base/in-time.ts";
import { point } from "../../../base/point.ts";
import { parseSignal, SIGKILL } from "../../../kernel/signals.ts";
import type { Step } from "../../../kernel/step.ts";
import { groupPathOfRecord } from "../container-record.ts";
import { stopSignalOf } from "../container-spec.ts";
import { explainUnkillable } from "../unkillable.ts";
import type { ContainerLife } from "./container-life.ts";
import type { ContainerPause } from "./pause.ts";

export interface ForeseenStop {
  /** Of its first process, which gets the signal from its monitor. */
  readonly pid: number;
  readonly signal: number;
  /** Until SIGKILL; -1: never. */
  readonly seconds: number;
  /** What is cleared away once it has ended. */
  readonly steps: readonly Step[];
}

/** Docker's default. */
const STOP_SECONDS = 10;
/** How long a caller waits for an end after SIGKILL, or for the cleanup of the last run before a start, until it is told why. */
export const END_TIMEOUT_MS = 5000;

export class ContainerStop {
  readonly #life: ContainerLife;
  readonly #pause: ContainerPause;

  constructor(life: ContainerLife, pause: ContainerPause) {
    this.#life = life;
    this.#pause = pause;
  }

  /** As `Container.kill`. */
  async kill(signal: string): Promise<void> {
    const number = parseSignal(signal);
    if (this.#life.uncertainStart !== undefined) await this.#life.resolveUncertainStart();
    this.#life.mustAct("kill");
    if (this.#life.restarts.hasPolicy) await this.forbidRestart();
    await (number === SIGKILL ? this.killAndWait("kill") : this.#signal(number));
  }

  /** As `Container.stop`. */
  stop(seconds?: number, signal?: string): Promise<boolean> {
    return this.#life.queue.run(() => this.stopInTurn("stop", seconds, signal));
  }

  /** `stop`, for a caller that holds the container's queue. @param operation what the caller does, for the error message */
  async stopInTurn(operation: string, seconds?: number, signal?: string): Promise<boolean> {
    const life = this.#life;
    const number = signal === undefined ? stopSignalOf(life.body) : parseSignal(signal);
    await life.resolveUncertainStart();
    if (!life.mustAct("stop")) return false;
    await this.forbidRestart();
    if (life.isRunning) await this.#stopNow(operation, number, seconds); // else it waited for its restart
    return true;
  }

  /** As `Container.foreseeStop`: what is not said by steps, as the monitor does it. */
  foresee(seconds?: number, signal?: string): Omit<ForeseenStop, "steps"> {
    const life = this.#life;
    if (!life.mustAct("stop")) throw OrlopError.of("container_not_running", life);
    const number = signal === undefined ? stopSignalOf(life.body) : parseSignal(signal);
    return { pid: life.run.pid, signal: number, seconds: this.#secondsOf(seconds) };
  }

  #secondsOf(seconds: number | undefined): number {
    return seconds ?? this.#life.body.StopTimeout ?? STOP_SECONDS;
  }

  /** As `Container.shutDown`. */
  shutDown(): Promise<boolean> {
    const life = this.#life;
    life.restarts.close();
    return life.queue.run(async () => {
      if (!life.isRunning) return false;
      await this.#stopNow("stop", stopSignalOf(life.body));
      return true;
    });
  }

  async #stopNow(operation: string, signal: number, seconds?: number): Promise<void> {
    const life = this.#life;
    const timeout = this.#secondsOf(seconds);
    const ended = this.#signal(signal, true).then(() => life.ended);
    if (timeout < 0) await ended;
    else if (!(await settlesWithin(ended, timeout * 1000))) await this.killAndWait(operation);
    life.publish("stop");
  }

  /** Sends SIGKILL, and waits for the end up to `END_TIMEOUT_MS`. @throws {OrlopError} unkillable */
  async killAndWait(operation: string): Promise<void> {
    const life = this.#life;
    const ended = this.#signal(SIGKILL).then(() => life.ended);
    if (await settlesWithin(ended, END_TIMEOUT_MS)) return;
    const failure = await unkillable(life, operation, "tried to kill container, but did not receive an exit event");
    if (!life.isRunning) return; // it ended while the reason was looked for
    life.stuckReason = failure.message;
    throw failure;
  }

  /**
   * Keeps the restart policy from undoing a stop, kill or removal. Recorded before the signal is sent: this engine may be gone when the
   * container ends.
   */
  async forbidRestart(): Promise<void> {
    const life = this.#life;
    life.restarts.cancelTimer();
    if (!life.restarts.hasPolicy || life.restarts.state.isStopped) return;
    await life.changeRecord(life.withRestarts({ isStopped: true, isWaiting: false }));
    point("container.restart.forbidden");
  }

  /** @param isToEnd the signal is meant to end the program: a paused container is resumed for it */
  async #signal(
    number: number,
    isToEnd = number === SIGKILL || number === stopSignalOf(this.#life.body),
  ): Promise<void> {
    const life = this.#life;
    if (number === SIGKILL && life.isRunning) life.isKillRequested = true;
    if (life.process === undefined) return;
    life.process.signal(number);
    life.publish("kill", { signal: String(number) });
    if (isToEnd && (life.isPaused || (number === SIGKILL && life.group.isFrozen()))) await this.#pause.thaw();
  }
}

/** The error for a container that does not end, with the reason found in /proc. @param operation what could not be done */
export async function unkillable(life: ContainerLife, operation: string, what: string): Promise<OrlopError> {
  const { parts, record, run, id, name } = life;
  const reason = await explainUnkillable(parts.machine, groupPathOfRecord(record), run.pid);
  return OrlopError.of("unkillable", { doing: operation, id, name, what, reason });
}
