/** How a container is ended: signals, its stop, SIGKILL, and what is said of one that does not go. */

import { OrlopError } from "../../../base/errors.ts";
import { settlesWithin } from "../../../base/in-time.ts";
import { point } from "../../../base/point.ts";
import { parseSignal, SIGKILL } from "../../../kernel/signals.ts";
import { groupPathOfRecord } from "../container-record.ts";
import { stopSignalOf } from "../container-spec.ts";
import { explainUnkillable } from "../unkillable.ts";
import type { ContainerLife } from "./container-life.ts";
import type { ContainerPause } from "./pause.ts";

/** Docker's. */
const STOP_SECONDS = 10;
/** So long its end may take after a SIGKILL, and clearing away before the next start: then the caller is told why. */
export const PATIENCE_MS = 5000;

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
    if (this.#life.doubt !== undefined) await this.#life.mustBeKnown();
    this.#life.mustAct("kill");
    if (this.#life.restarts.hasPolicy) await this.stayStopped();
    await (number === SIGKILL ? this.killInTime("kill") : this.#signal(number));
  }

  /** As `Container.stop`. */
  stop(seconds?: number, signal?: string): Promise<boolean> {
    return this.#life.queue.run(() => this.stopInTurn("stop", seconds, signal));
  }

  /** `stop`, for one whose turn it is in the queue. @param doing what the caller wants, for a message */
  async stopInTurn(doing: string, seconds?: number, signal?: string): Promise<boolean> {
    const life = this.#life;
    const number = signal === undefined ? stopSignalOf(life.body) : parseSignal(signal);
    await life.mustBeKnown();
    if (!life.mustAct("stop")) return false;
    const { isWaiting } = life.restarts;
    await this.stayStopped();
    if (!isWaiting) await this.#stopNow(doing, number, seconds);
    return true;
  }

  /** As `Container.shutDown`. */
  shutDown(): Promise<boolean> {
    const life = this.#life;
    life.restarts.rest();
    return life.queue.run(async () => {
      if (!life.isRunning) return false;
      await this.#stopNow("stop", stopSignalOf(life.body));
      return true;
    });
  }

  async #stopNow(doing: string, signal: number, seconds?: number): Promise<void> {
    const life = this.#life;
    const timeout = seconds ?? life.body.StopTimeout ?? STOP_SECONDS;
    const ended = this.#signal(signal, true).then(() => life.ended);
    if (timeout < 0) await ended;
    else if (!(await settlesWithin(ended, timeout * 1000))) await this.killInTime(doing);
    life.tell("stop");
  }

  /** SIGKILL, and its end, which is not waited for for ever. @throws {OrlopError} unkillable */
  async killInTime(doing: string): Promise<void> {
    const life = this.#life;
    const ended = this.#signal(SIGKILL).then(() => life.ended);
    if (await settlesWithin(ended, PATIENCE_MS)) return;
    const failure = await unkillable(life, doing, "tried to kill container, but did not receive an exit event");
    if (!life.isRunning) return; // meanwhile
    life.stuck = failure.message;
    throw failure;
  }

  /** Its restart policy is not to undo what is being done by hand; written down first, as this engine may not see the end. */
  async stayStopped(): Promise<void> {
    const life = this.#life;
    life.restarts.cancelTimer();
    if (!life.restarts.hasPolicy || life.restarts.state.isStopped) return;
    await life.change(life.withRestarts({ isStopped: true, isWaiting: false }));
    point("container.restart.forbidden");
  }

  /** @param ends it is to end by this */
  async #signal(number: number, ends = number === SIGKILL || number === stopSignalOf(this.#life.body)): Promise<void> {
    const life = this.#life;
    if (number === SIGKILL && life.isRunning) life.mustEnd = true;
    if (life.process === undefined) return;
    life.process.signal(number);
    life.tell("kill", { signal: String(number) });
    if (ends && (life.isPaused || (number === SIGKILL && life.group.isFrozen()))) await this.#pause.thaw();
  }
}

/** What cannot be ended, and why. @param doing what was to be done */
export async function unkillable(life: ContainerLife, doing: string, what: string): Promise<OrlopError> {
  const { parts, record, run, id, name } = life;
  const reason = await explainUnkillable(parts.machine, groupPathOfRecord(record), run.pid);
  return OrlopError.of("unkillable", { doing, id, name, what, reason });
}
