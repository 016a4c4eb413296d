/**
 * Reads a tree out of a task: a plan that ends in `tree-*` steps, and their records as they come. The reader's pace is the
 * executor's: what is not taken yet stays in the socket, and the walk waits.
 */
import type { Duplex } from "node:stream";
import { PlanStream } from "./plan-stream.ts";
import type { Step } from "./step.ts";
import { decodeTreeRecords, type TreeRecord } from "./tree-record.ts";

/** So many VALUEs wait here before the socket is stopped. */
const waitingMax = 4;

export class TreeStream {
  readonly #connection: Duplex;
  /** For a plan that writes behind what it has asked. */
  readonly plan: PlanStream;
  readonly #values: Uint8Array[] = [];
  #wake: (() => void) | undefined;

  /** The connection is to a fresh task. */
  constructor(connection: Duplex) {
    this.#connection = connection;
    this.plan = new PlanStream(connection, (value) => {
      this.#values.push(value);
      if (this.#values.length >= waitingMax) connection.pause();
      this.#wake?.();
    });
    const settled = (): void => this.#wake?.();
    this.plan.answered.then(settled, settled);
  }

  /** Carries steps out, the last of which answers with one VALUE. @throws {StreamedStepFailure}; {OrlopError} executor_lost */
  async ask(steps: readonly Step[]): Promise<TreeRecord[]> {
    for (const step of steps) this.plan.add(step);
    this.plan.send();
    const value = await this.#next();
    return value === undefined ? [] : decodeTreeRecords(value);
  }

  /** The last steps, and everything that they answer. Leaving early ends the task. @throws as `ask` */
  async *read(steps: readonly Step[]): AsyncGenerator<TreeRecord[], void> {
    for (const step of steps) this.plan.add(step);
    const done = this.plan.end();
    done.catch(() => undefined); // told by #next
    try {
      for (let value = await this.#next(); value !== undefined; value = await this.#next())
        yield decodeTreeRecords(value);
      await done;
    } finally {
      this.close();
    }
  }

  /** The task ends, and with it the namespace that it may have made. */
  close(): void {
    this.#connection.destroy();
  }

  /** The next VALUE; undefined when all steps are done. */
  async #next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const value = this.#values.shift();
      if (value !== undefined) {
        if (this.#values.length === 0) this.#connection.resume();
        return value;
      }
      if (await this.#settled()) return undefined;
    }
  }

  /** Until a VALUE has come (false), or the plan is done (true). */
  async #settled(): Promise<boolean> {
    const woken = new Promise<false>((resolve) => {
      this.#wake = () => resolve(false);
    });
    const over = await Promise.race([this.plan.answered.then(() => true), woken]);
    return over && this.#values.length === 0;
  }
}
