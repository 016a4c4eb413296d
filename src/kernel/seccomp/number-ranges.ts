/** System call numbers of one architecture as ranges with one decision each. */

import { ENOSYS, SECCOMP_RET_ERRNO } from "./action.ts";
import { type Architecture, syscallNumbers } from "./architecture.ts";
import { always, type Decision, type Decisions, isOwn } from "./decision.ts";

/** From `first` to the next range's first; the last one has no end. */
export interface NumberRange {
  readonly first: number;
  readonly decision: Decision;
  /** Compare arguments as 64-bit values. */
  readonly wide: boolean;
  /** How many calls with a name it holds: ranges that hold more are found with fewer comparisons. */
  weight: number;
}

const newer = always(SECCOMP_RET_ERRNO + ENOSYS);

/** The same without looking at arguments, or the same object. */
export function decideAlike(a: Decision, b: Decision): boolean {
  return a === b || (a.rules.length === 0 && b.rules.length === 0 && a.action === b.action);
}

/** Ranges from the architecture's base upwards, in order, neighbours that are decided alike joined. */
export function numberRanges(decisions: Decisions, architecture: Architecture): NumberRange[] {
  const { base, own, wide } = architecture;
  const { newerFrom = Number.POSITIVE_INFINITY, otherwise, byNumber } = decisions;
  const ranges: NumberRange[] = [];
  const push = (first: number, weight: number): void => {
    const unnamed = first >= newerFrom && !isOwn(architecture, first) ? newer : otherwise;
    const decision = byNumber.get(first) ?? unnamed;
    const last = ranges[ranges.length - 1];
    if (last === undefined || !decideAlike(last.decision, decision)) ranges.push({ first, decision, wide, weight });
    else last.weight += weight;
  };
  /** Where numbers without a name begin to be decided otherwise. */
  const cuts = [newerFrom, ...(own === undefined ? [] : [base + own[0], base + own[1] + 1])].sort((a, b) => a - b);
  const gap = (from: number, to: number): void => {
    if (from < to) push(from, 0);
    for (const cut of cuts) if (cut > from && cut < to) push(cut, 0);
  };

  let next = base;
  for (const number of syscallNumbers(architecture).values()) {
    if (number < next) continue; // a second name
    gap(next, number);
    push(number, 1);
    next = number + 1;
  }
  gap(next, Number.POSITIVE_INFINITY);
  return ranges;
}
