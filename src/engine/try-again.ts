/** Clearing away, tried until it is done: it can be done twice. */

import { log } from "../base/log.ts";
import { StepFailure } from "../kernel/executor.ts";

const FIRST_DELAY_MS = 250;
const DELAY_MAX_MS = 5000;

/**
 * Once more when its task was killed or the kernel refuses; again and again while processes do not end that were killed.
 *
 * @param stuck told of each further try; true: nobody is there any more to make it
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

/** A group that cannot be emptied, or is not empty yet. */
function isStuck(error: unknown): boolean {
  return error instanceof StepFailure && ["ETIMEDOUT", "EBUSY"].includes(error.errno);
}
