/** Waits for a condition that nobody announces. */

const pollMs = 20;
/** The bound is for what never comes, and measures nothing: on a busy machine everything may take long. */
const leastMs = 30_000;

/** @throws when it does not become true in `timeoutMs`, or in half a minute where that is longer */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  what: string,
): Promise<void> {
  const limitMs = Math.max(timeoutMs, leastMs);
  const deadlineMs = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${limitMs / 1000} s: ${what}`);
    await Bun.sleep(pollMs);
  }
}
