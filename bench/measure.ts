/** Times cases in turns, a few runs each, so that what else the machine does meets all of them alike. */

import type { Case } from "./case.ts";

/** Before the first run that counts: caches, lazily made things, an engine's compiler. So many runs, and so long. */
const warmUps = { runs: 3, ms: 1000 };

/** Runs of one case per turn: without pauses, only a run that follows another one of its kind is back to back. */
const runsPerTurn = 5;

/** Times in milliseconds by case name. pauseMs: waits before each run, which shows what back-to-back loops hide (RCU). */
export async function measureInTurns(
  cases: readonly Case[],
  rounds: number,
  pauseMs: number,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const times = new Map<string, number[]>(cases.map(({ name }) => [name, []]));
  for (const { run } of cases) {
    const began = performance.now();
    for (let time = 0; time < warmUps.runs || performance.now() - began < warmUps.ms; time++) await run();
  }
  for (let done = 0; done < rounds; done += runsPerTurn) {
    for (const { name, run } of cases) {
      for (let time = 0; time < Math.min(runsPerTurn, rounds - done); time++) {
        if (pauseMs > 0) await Bun.sleep(pauseMs);
        const began = performance.now();
        await run();
        times.get(name)?.push(performance.now() - began);
      }
    }
  }
  return times;
}

/** How long `count` runs take, `width` of them at a time. Milliseconds. */
export async function measureBurst({ run }: Case, count: number, width: number): Promise<number> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await run();
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: width }, worker));
  return performance.now() - began;
}
