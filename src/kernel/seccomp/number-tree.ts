/** System call numbers as ranges with one decision each, and the binary search over them as BPF. */

import { JEQ, JGE, type ProgramBuilder, type Target } from "./program-builder.ts";

/** From `first` to the next range's first; the last one ends with 2^32-1. */
export interface NumberRange {
  readonly first: number;
  /** Ranges with equal keys are decided alike. */
  readonly key: string;
  /** Builds the decision, or gives the one that was built. */
  readonly target: () => Target;
  /** How many calls with a name it holds: ranges that hold more are found with fewer comparisons. */
  readonly weight: number;
}

/** Joins neighbours that are decided alike. */
export function mergeRanges(ranges: readonly NumberRange[]): NumberRange[] {
  const merged: NumberRange[] = [];
  for (const range of ranges) {
    const last = merged[merged.length - 1];
    if (last?.key !== range.key) merged.push(range);
    else merged[merged.length - 1] = { ...last, weight: last.weight + range.weight };
  }
  return merged;
}

/** The search for the accumulator's number. `ranges` begin with 0 and are in order. */
export function buildNumberTree(builder: ProgramBuilder, ranges: readonly NumberRange[]): Target {
  const sums = [0];
  for (const { weight } of ranges) sums.push((sums[sums.length - 1] ?? 0) + weight + 0.01); // none weighs nothing
  const at = (index: number): NumberRange => ranges[index] as NumberRange;

  const build = (from: number, to: number): Target => {
    if (to - from === 1) return at(from).target();
    const alone = to - from === 3 && at(from).key === at(from + 2).key;
    if (alone && at(from + 1).first + 1 === at(from + 2).first)
      return builder.jump(JEQ, at(from + 1).first, at(from + 1).target(), at(from).target());
    const middle = balance(sums, from, to);
    const above = build(middle, to);
    return builder.jump(JGE, at(middle).first, above, build(from, middle));
  };
  return build(0, ranges.length);
}

/** Where to cut ranges [from, to) so that both sides weigh about the same; each gets at least one. */
function balance(sums: readonly number[], from: number, to: number): number {
  const half = ((sums[from] ?? 0) + (sums[to] ?? 0)) / 2;
  let middle = from + 1;
  while (middle < to - 1 && Math.abs((sums[middle + 1] ?? 0) - half) <= Math.abs((sums[middle] ?? 0) - half)) middle++;
  return middle;
}
