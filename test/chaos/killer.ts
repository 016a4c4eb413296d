/** Kills the engine again and again, now and then something else with it, and lets something stand still for a while. */

import type { Product } from "../product.ts";
import type { Random } from "./random.ts";

/** An engine is killed after so long at the least and at the most. */
const enginePauseMs = [200, 5000] as const;
/** Every so many kills of an engine it is a monitor's turn too, or netd's, or the supervisor's. */
const monitorEvery = 3;
const netdEvery = 4;
const supervisorEvery = 10;
/** Every so many turns something stands still for so long, as on a machine that has too much to do. */
const stallEvery = 5;
const stallMs = [50, 800] as const;

export async function killNowAndThen(product: Product, random: Random, isOver: () => boolean) {
  const did = { engines: 0, monitors: 0, netds: 0, supervisors: 0, stalled: 0 };
  for (let turn = 1; ; turn++) {
    await Bun.sleep(random.between(...enginePauseMs));
    if (isOver()) return did;
    if (turn % stallEvery === 0) {
      const pids = [product.netdPid(), product.supervisorPid(), product.enginePid(), ...product.monitorPids()];
      did.stalled += await stall(random.pick(pids), random.between(...stallMs));
    }
    if (turn % monitorEvery === 0)
      did.monitors += signal(random.pick([undefined, ...product.monitorPids()]), "SIGKILL");
    if (turn % netdEvery === 0) did.netds += signal(product.netdPid(), "SIGKILL");
    if (turn % supervisorEvery === 0) did.supervisors += signal(product.supervisorPid(), "SIGKILL");
    did.engines += signal(product.enginePid(), "SIGKILL");
  }
}

async function stall(pid: number | undefined, ms: number): Promise<number> {
  const stopped = signal(pid, "SIGSTOP");
  await Bun.sleep(ms);
  signal(pid, "SIGCONT");
  return stopped;
}

/** How many got it: one, or none where it has ended by itself. */
function signal(pid: number | undefined, name: "SIGKILL" | "SIGSTOP" | "SIGCONT"): number {
  if (pid === undefined) return 0;
  try {
    process.kill(pid, name);
    return 1;
  } catch {
    return 0;
  }
}
