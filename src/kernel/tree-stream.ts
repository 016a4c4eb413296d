/**
 * Reads a tree through a task: sends a plan that ends in `tree-*` steps, and gives their records as they arrive. While the reader
 * takes none, the socket fills and the executor's walk waits.
 */
import type { Duplex } from "node:stream";
import { PlanStream } from "./plan-stream.ts";
import type { Step } from "./step.ts";
import { decodeTreeRecords, type TreeRecord } from "./tree-record.ts";

/** How many VALUEs are kept before the socket is paused. */
const waitingMax = 4;

export class TreeStream {
  readonly #connection: Duplex;
  /** For plans that add further steps after `ask`. */
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

  /** Carries out steps, the last of which answers with one VALUE. @throws {StreamedStepFailure}; {OrlopError} executor_lost */
  async ask(steps: readonly Step[]): Promise<TreeRecord[]> {
    for (const step of steps) this.plan.add(step);
    this.plan.send();
    const value = await this.#next();
    return value === undefined ? [] : decodeTreeRecords(value);
  }

  /** Carries out the plan's last steps, and gives all their records. Leaving early ends the task. @throws as `ask` */
  async *read(steps: readonly Step[]): AsyncGenerator<TreeRecord[], void> {
    for (const step of steps) this.plan.add(step);
    const done = this.plan.end();
    done.catch(() => undefined); // reported by #next
    try {
      for (let value = await this.#next(); value !== undefined; value = await this.#next())
        yield decodeTreeRecords(value);
      await done;
    } finally {
      this.close();
    }
  }

  /** Ends the task, and with it a namespace that it has made. */
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

  /** Waits until a VALUE has arrived (false) or the plan is done (true). */
  async #settled(): Promise<boolean> {
    const woken = new Promise<false>((resolve) => {
      this.#wake = () => resolve(false);
    });
    const over = await Promise.race([this.plan.answered.then(() => true), woken]);
    return over && this.#values.length === 0;
  }
}
