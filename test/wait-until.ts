/** Waits for a condition that nobody announces. */

const pollMs = 20;
/** The bound is for what never comes, and measures nothing: on a busy machine everything may take long. */
const leastMs = 30_000;
/** Where a fault makes sure that something never comes (test/seeded), waiting longer than this shows nothing more. */
const faultyMs = process.env["ORLOP_TEST_PATIENCE_MS"];

/** How long a test waits that would wait for so long. */
export function patienceMs(timeoutMs: number): number {
  return faultyMs === undefined ? timeoutMs : Math.min(timeoutMs, Number(faultyMs));
}

/** @throws when it does not become true in `timeoutMs`, or in half a minute where that is longer */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  what: string,
): Promise<void> {
  const limitMs = patienceMs(Math.max(timeoutMs, leastMs));
  const deadlineMs = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${limitMs / 1000} s: ${what}`);
    await Bun.sleep(pollMs);
  }
}
