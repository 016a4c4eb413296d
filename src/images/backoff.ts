/** When a request is tried again, and when not. */

/** Attempts of one request: a registry may fail several times in a row, and the user only notices the delay. */
export const attemptsMax = 5;

/** Waits; rejects when the signal is aborted. Injected, so that tests need not wait. */
export type Wait = (ms: number, signal?: AbortSignal) => Promise<void>;

const firstMs = 200;
/** A registry that asks for a longer pause than this causes an error instead. */
const retryAfterMaxMs = 60_000;

/**
 * Milliseconds to wait before the next attempt: as the registry asks, else exponential back-off with jitter.
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

/** The real `Wait`. */
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
