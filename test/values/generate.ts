/** Valid values by their kind: the edges of a range, what lies beside them, and some in between that a seed chooses. */

import { Random } from "../chaos/random.ts";

/** The same values each time, unless others are asked for: who has changed nothing is not to be surprised. */
const seed = Number(process.env["ORLOP_VALUES_SEED"] ?? 1);
const random = new Random(seed);

/** Named when a test fails, so that the same values come again. */
export const seedText = `ORLOP_VALUES_SEED=${seed}`;

/** @param step values are multiples of it */
export function wholes(least: number, most: number, step = 1): number[] {
  const steps = Math.floor((most - least) / step);
  const some = [0, 1, Math.floor(random.between(0, steps + 1)), steps - 1, steps].map((count) => least + count * step);
  return [...new Set(some)].filter((value) => value >= least && value <= most);
}

const letters = "abcdefghijklmnopqrstuvwxyz0123456789";

export function word(length: number, alphabet = letters): string {
  return Array.from({ length }, () => random.pick([...alphabet])).join("");
}

/** Texts that a program may be given, and that tempt a careless reader. */
export const texts: readonly string[] = [
  "",
  "plain",
  " two  words ",
  "a=b=c",
  "$HOME `id` $(id) $PATH",
  "quote ' and \" and \\ and \\n",
  "tab\there",
  "two\nlines",
  "ünïcödé \u{1f40b} \u202e",
  "-rf",
  "__proto__",
  word(40),
  word(20_000),
];
