/** Makes an engine change its disk in every way, and writes down what was acknowledged, and when. */

import type { Random } from "../chaos/random.ts";
import { Product } from "../product.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";
import { type Act, planActs } from "./acts.ts";
import { type Acknowledged, type Fact, type Files, factsFrom } from "./check-state.ts";
import { killNow, pickVictim } from "./kill.ts";
import type { RecordedDisk } from "./recorded-disk.ts";

/** Of the engine and its supervisor, in the middle of a change. */
export interface Kills {
  /** Each in another change; at most as many as there are changes. */
  readonly count: number;
  readonly random: Random;
}

export interface Work {
  readonly directory: string;
  readonly disk: RecordedDisk;
  /** Gets what is in each layer, by diff id. */
  readonly layers: Map<string, Files>;
  readonly kills: Kills | undefined;
}

/** A change takes about so long; kills come within it, most of them early, as most changes are short. */
const changeMs = 120;

export async function recordWork({ directory, disk, layers, kills }: Work): Promise<Acknowledged[]> {
  const product = new Product(directory);
  await using registry = await ScriptedRegistry.open();
  const promises: Acknowledged[] = [];
  let facts: ReadonlySet<Fact> = new Set();
  let at = "the beginning";
  const promise = (now: ReadonlySet<Fact>): void => {
    facts = now;
    promises.push({ position: disk.position, facts });
  };
  try {
    await product.ok("info");
    promise(await factsFrom(product.engine));
    const acts = planActs(registry, layers);
    const interrupted = chooseSome(acts, kills);
    for (const act of acts) {
      const wanted = changed(facts, act);
      if (kills !== undefined && interrupted.has(act)) {
        at = `${act.what}, killed`;
        const seen = await actWithKill(product, act, kills.random);
        const wrong = [...new Set([...facts, ...wanted, ...seen])].filter((fact) => isWrong(fact, facts, wanted, seen));
        if (wrong.length > 0) throw new Error(`after a kill in ${act.what}: ${wrong.join("; ")}`);
        promise(seen);
        if (isDone(act, seen)) continue;
      }
      at = act.what;
      await act.run(product.engine);
      promise(wanted);
    }
  } catch (error) {
    throw new Error(`in ${at}, after ${promises.length} changes`, { cause: error });
  } finally {
    await product.stop();
  }
  return promises;
}

function chooseSome(acts: readonly Act[], kills: Kills | undefined): Set<Act> {
  const chosen = new Set<Act>();
  const count = Math.min(kills?.count ?? 0, acts.length);
  while (kills !== undefined && chosen.size < count) chosen.add(kills.random.pick(acts));
  return chosen;
}

/** It may be done or not afterwards. @returns what the next engine says is there */
async function actWithKill(product: Product, act: Act, random: Random): Promise<Set<Fact>> {
  const done = act.run(product.engine).catch(() => undefined); // what is there afterwards says how it went
  await Bun.sleep(random.next() ** 2 * changeMs);
  await killNow(product, pickVictim(random));
  await done;
  await product.ok("info"); // there is an engine again
  return factsFrom(product.engine);
}

function changed(facts: ReadonlySet<Fact>, { adds = [], ends = [] }: Act): Set<Fact> {
  return new Set([...[...facts].filter((fact) => !ends.includes(fact)), ...adds]);
}

function isDone({ adds = [], ends = [] }: Act, facts: ReadonlySet<Fact>): boolean {
  return (
    adds.every((fact) => facts.has(fact)) && !ends.some((fact) => facts.has(fact)) && adds.length + ends.length > 0
  );
}

/** Each fact is as before or as it was to be. */
function isWrong(fact: Fact, before: ReadonlySet<Fact>, wanted: ReadonlySet<Fact>, seen: ReadonlySet<Fact>): boolean {
  return seen.has(fact) !== before.has(fact) && seen.has(fact) !== wanted.has(fact);
}
