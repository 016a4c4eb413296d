/** Repeats idempotent work, such as clearing away, until it succeeds. */

import { log } from "../base/log.ts";
import { StepFailure } from "../kernel/executor.ts";

const FIRST_DELAY_MS = 250;
const DELAY_MAX_MS = 5000;

/**
 * Tries once more after any failure, and again and again while killed processes do not end.
 *
 * @param stuck called before each further try; returns true to give up
 */
export async function tryAgain(what: string, work: () => Promise<void>, stuck: () => boolean): Promise<void> {
  try {
    return await work();
  } catch (error) {
    log("warn", `${what}: once more`, error);
  }
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, DELAY_MAX_MS)) {
    try {
      return await work();
    } catch (error) {
      if (!isStuck(error) || stuck()) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, delayMs));
  }
}

/** A cgroup with processes that do not end. */
function isStuck(error: unknown): boolean {
  return error instanceof StepFailure && ["ETIMEDOUT", "EBUSY"].includes(error.errno);
}
