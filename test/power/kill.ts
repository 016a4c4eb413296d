/** Ends an engine and its supervisor as nothing else does: with SIGKILL, at a moment that nobody chose. */

import type { Random } from "../chaos/random.ts";
import type { Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

export const victims = ["engine", "supervisor", "both"] as const;
export type Victim = (typeof victims)[number];

const goneMs = 30_000;

export function pickVictim(random: Random): Victim {
  return random.pick(victims);
}

/** Settles when the engine is gone: with its supervisor it ends too, and what it says until then is not its successor's word. */
export async function killNow(product: Product, victim: Victim): Promise<void> {
  const engine = product.enginePid();
  const supervisor = product.supervisorPid();
  const chosen = { engine: [engine], supervisor: [supervisor], both: [supervisor, engine] }[victim];
  for (const pid of chosen) if (pid !== undefined) process.kill(pid, "SIGKILL");
  await waitUntil(() => !product.pids().some((pid) => pid === engine), goneMs, "the killed engine is gone");
  product.disconnect();
}
