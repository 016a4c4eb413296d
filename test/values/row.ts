/** One row of the table: a field, valid values for it, and how each is seen to act. */

import type { Need } from "../kernel/harness.ts";
import { type Fragment, merged, type Seen, type Stage } from "./stage.ts";

export interface Row {
  readonly needs?: readonly Need[];
  /** One for each value. */
  readonly trials: readonly Trial[];
}

export interface Trial {
  readonly value: unknown;
  /** What was seen, and what should have been. */
  readonly see: (stage: Stage) => Promise<{ readonly seen: string; readonly wanted: string }>;
}

type Ask<V> = (value: V, stage: Stage) => Fragment | Promise<Fragment>;
type Wanted<V> = string | ((value: V, stage: Stage) => string);

function trialsOf<V>(
  values: readonly V[],
  wanted: Wanted<V>,
  see: (value: V, stage: Stage) => Promise<string>,
): Trial[] {
  return values.map((value) => ({
    value,
    see: async (stage) => ({
      seen: await see(value, stage),
      wanted: typeof wanted === "string" ? wanted : wanted(value, stage),
    }),
  }));
}

/** Seen in what the first process writes: a script, whose first word is the value. */
export function prints<V>(
  values: readonly V[],
  ask: Ask<V>,
  script: string,
  wanted: Wanted<V>,
  needs: readonly Need[] = [],
): Row {
  const see = async (value: V, stage: Stage) =>
    stage.printed(merged({ Cmd: ["sh", "-c", script, "sh", String(value)] }, await ask(value, stage)));
  return { needs, trials: trialsOf(values, wanted, see) };
}

/** Seen from outside, at a container that runs. */
export function shows<V>(
  values: readonly V[],
  ask: Ask<V>,
  look: (seen: Seen, value: V) => string | Promise<string>,
  wanted: Wanted<V>,
  needs: readonly Need[] = [],
): Row {
  const see = async (value: V, stage: Stage) => stage.running(await ask(value, stage), (seen) => look(seen, value));
  return { needs, trials: trialsOf(values, wanted, see) };
}

/** Seen by other means. */
export function acts<V>(
  values: readonly V[],
  see: (value: V, stage: Stage) => Promise<string>,
  wanted: Wanted<V>,
  needs: readonly Need[] = [],
): Row {
  return { needs, trials: trialsOf(values, wanted, see) };
}

/** Data only: inspect says what was asked for, at the same place. */
export function kept<V>(path: string, values: readonly V[], more: Fragment = {}): Row {
  const place = path.startsWith("HostConfig.") ? path : `Config.${path}`;
  const ask = (value: V) => merged(more, at(path, value));
  return shows(
    values,
    ask,
    async (seen) => JSON.stringify(await seen.inspected(place)),
    (value) => JSON.stringify(value),
  );
}

/** { HostConfig: { Memory: value } } for "HostConfig.Memory". */
export function at(path: string, value: unknown): Fragment {
  const [name = "", ...rest] = path.split(".");
  return { [name]: rest.length === 0 ? value : at(rest.join("."), value) };
}
