/** When to try again, and when to give up. */

/** Attempts of one request; a registry may fail three times in a row without anybody noticing but the clock. */
export const attemptsMax = 5;

/** Waits; rejects when the signal is aborted first. Injected, so that tests need not wait. */
export type Wait = (ms: number, signal?: AbortSignal) => Promise<void>;

const firstMs = 200;
/** A registry that asks for more patience than this gets an error instead. */
const retryAfterMaxMs = 60_000;

/**
 * Milliseconds to wait before the next attempt: what the registry asks for, else doubling with jitter.
 *
 * @param attempt       how many have failed, from 1
 * @param retryAfterMs  of the Retry-After header
 * @param random        from 0 to 1
 */
export function backoffMs(attempt: number, retryAfterMs: number | undefined, random: number): number {
  if (retryAfterMs !== undefined) return Math.min(retryAfterMs, retryAfterMaxMs);
  return Math.round(firstMs * 2 ** (attempt - 1) * (0.5 + random));
}

/** Whether the same request may succeed later. */
export function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status === 500 || status === 502 || status === 503 || status === 504;
}

/** The clock's own waiting. */
export const waitForClock: Wait = (ms, signal) =>
  new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(done, ms);
    function done(): void {
      signal?.removeEventListener("abort", aborted);
      resolve();
    }
    function aborted(): void {
      clearTimeout(timer);
      reject(signal?.reason);
    }
    signal?.addEventListener("abort", aborted, { once: true });
  });
