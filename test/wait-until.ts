/** Waits for a condition that nobody announces. */

const pollMs = 20;

/** @throws when it does not become true in time */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  what: string,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs / 1000} s: ${what}`);
    await Bun.sleep(pollMs);
  }
}
