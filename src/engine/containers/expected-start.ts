/**
 * The start of a `--rm` container, begun when it is made: whoever makes one starts it next. Its process goes as far as the
 * gate while the client's next requests are under way, and is taken back when nobody starts it.
 */

import type { StartPlan } from "./container-plan.ts";
import type { ContainerProcess } from "./container-process.ts";

/** Clients that start what they made do so at once. */
const PATIENCE_MS = 1000;

export class ExpectedStart {
  readonly plan: StartPlan;
  readonly #process: Promise<ContainerProcess>;
  readonly #settled = Promise.withResolvers<"settled">();

  /** @param process that of `plan`, which will wait at its gate */
  constructor(plan: StartPlan, process: Promise<ContainerProcess>) {
    this.plan = plan;
    this.#process = process;
    this.#process.catch(() => undefined); // `take` tells
  }

  /** The process at its gate; the caller's from here on. @throws {StepFailure} */
  take(): Promise<ContainerProcess> {
    this.#settled.resolve("settled");
    return this.#process;
  }

  /** Nothing of it runs when this resolves. */
  async withdraw(): Promise<void> {
    this.#settled.resolve("settled");
    const process = await this.#process.catch(() => undefined); // what failed has left nothing
    await process?.link.withdraw();
  }

  /** Resolves with false once it is taken or withdrawn, with true when neither happens in time. */
  async isOverdue(): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const overdue = new Promise<"overdue">((resolve) => {
      timer = setTimeout(() => resolve("overdue"), PATIENCE_MS);
    });
    const outcome = await Promise.race([this.#settled.promise, overdue]);
    clearTimeout(timer);
    return outcome === "overdue";
  }
}
