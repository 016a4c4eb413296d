/**
 * The start of a `--rm` container, begun when the container is created, because clients that create one start it next. Its process
 * runs up to its gate while the client's next requests are under way, and is ended again if no start is requested.
 */

import type { StartPlan } from "./container-plan.ts";
import type { ContainerProcess } from "./container-process.ts";

/** Clients that start a new container do so at once. */
const START_TIMEOUT_MS = 1000;

export class ExpectedStart {
  readonly plan: StartPlan;
  readonly #process: Promise<ContainerProcess>;
  readonly #settled = Promise.withResolvers<"settled">();

  /** @param process the process of `plan`, which waits at its gate */
  constructor(plan: StartPlan, process: Promise<ContainerProcess>) {
    this.plan = plan;
    this.#process = process;
    this.#process.catch(() => undefined); // reported by `take`
  }

  /** The process at its gate; the caller owns it from now on. @throws {StepFailure} */
  take(): Promise<ContainerProcess> {
    this.#settled.resolve("settled");
    return this.#process;
  }

  /** Ends the process. When this resolves, it has ended. */
  async withdraw(): Promise<void> {
    this.#settled.resolve("settled");
    const process = await this.#process.catch(() => undefined); // a spawn that failed has left no process
    await process?.link.withdraw();
  }

  /** Resolves with false once the start is taken or withdrawn, with true when neither happens in time. */
  async isOverdue(): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const overdue = new Promise<"overdue">((resolve) => {
      timer = setTimeout(() => resolve("overdue"), START_TIMEOUT_MS);
    });
    const outcome = await Promise.race([this.#settled.promise, overdue]);
    clearTimeout(timer);
    return outcome === "overdue";
  }
}
