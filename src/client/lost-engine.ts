/** An engine that is gone in the middle of something: the next one is started by whoever connects. */
import { OrlopError } from "../base/errors.ts";

/** How often in a row a lost engine is looked for: once is the rule. */
export const resumeAttempts = 5;

export function isLost(error: unknown): boolean {
  return error instanceof OrlopError && error.kind === "unavailable";
}

/** Asks again where the engine is lost over it: for what changes nothing. */
export async function fromNextEngine<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++)
    try {
      return await ask();
    } catch (error) {
      if (!isLost(error) || attempt === resumeAttempts) throw error;
    }
}
