/** The binary search over system call numbers as BPF. */

import { decideAlike, type NumberRange } from "./number-ranges.ts";
import { JEQ, JGE, type ProgramBuilder, type Target } from "./program-builder.ts";

/**
 * The search for the accumulator's number.
 *
 * @param ranges    in order; the first one begins with 0
 * @param targetOf  builds a range's decision, or gives the one that was built
 */
export function buildNumberTree(
  builder: ProgramBuilder,
  ranges: readonly NumberRange[],
  targetOf: (range: NumberRange) => Target,
): Target {
  const sums = [0];
  for (const { weight } of ranges) sums.push((sums[sums.length - 1] ?? 0) + weight + 0.01); // none weighs nothing
  const at = (index: number): NumberRange => ranges[index] as NumberRange;

  const build = (from: number, to: number): Target => {
    if (to - from === 1) return targetOf(at(from));
    const alone = to - from === 3 && decideAlike(at(from).decision, at(from + 2).decision);
    if (alone && at(from + 1).first + 1 === at(from + 2).first)
      return builder.jump(JEQ, at(from + 1).first, targetOf(at(from + 1)), targetOf(at(from)));
    const middle = balance(sums, from, to);
    const above = build(middle, to);
    return builder.jump(JGE, at(middle).first, above, build(from, middle));
  };
  return build(0, ranges.length);
}

/** Where to cut ranges [from, to) so that both sides weigh about the same; each gets at least one. */
function balance(sums: readonly number[], from: number, to: number): number {
  const half = ((sums[from] ?? 0) + (sums[to] ?? 0)) / 2;
  let low = from + 1;
  let high = to - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sums[middle] ?? 0) < half) low = middle + 1;
    else high = middle;
  }
  const before = low - 1;
  return before > from && half - (sums[before] ?? 0) < (sums[low] ?? 0) - half ? before : low;
}
