/** What a profile decides for each system call of one architecture. */

import { actionValue, ENOSYS, isPermissive, SECCOMP_RET_ERRNO } from "./action.ts";
import { type Architecture, syscallNumbers } from "./architecture.ts";
import { type Condition, parseCondition } from "./condition.ts";
import { multiplexed } from "./multiplexed.ts";
import type { SeccompProfile, SeccompRule } from "./profile.ts";

/** All conditions hold → this action. */
export interface ConditionalRule {
  readonly conditions: readonly Condition[];
  /** SECCOMP_RET_*. */
  readonly action: number;
}

/** The first rule that holds decides, else `action`. */
export interface Decision {
  readonly rules: readonly ConditionalRule[];
  readonly action: number;
}

/** Decisions of one architecture: its numbers with `base` included. */
export interface Decisions {
  readonly byNumber: ReadonlyMap<number, Decision>;
  /** Every other number. */
  readonly otherwise: Decision;
  /** Numbers from this one on, its own block apart, are newer than the profile: ENOSYS. undefined: no such rule. */
  readonly newerFrom: number | undefined;
}

/** The same for all arguments. */
export function always(action: number): Decision {
  return { rules: [], action };
}

/** A rule of the profile with its names still unresolved. */
export interface ParsedRule {
  readonly names: readonly string[];
  readonly action: number;
  /** One conjunction each; an empty list of them means unconditionally. */
  readonly alternatives: readonly (readonly Condition[])[];
}

/** @throws {OrlopError} bad_value */
export function parseRule(rule: SeccompRule): ParsedRule {
  const conditions = (rule.args ?? []).map(parseCondition).sort((a, b) => a.index - b.index);
  // Two conditions on one argument are alternatives, as runc has it (libseccomp refuses them in one rule).
  const repeats = conditions.some((condition, at) => condition.index === conditions[at - 1]?.index);
  return {
    names: rule.names,
    action: actionValue(rule.action, rule.errnoRet),
    alternatives: repeats ? conditions.map((condition) => [condition]) : conditions.length > 0 ? [conditions] : [],
  };
}

/**
 * Resolves rules for one architecture. Of several rules for one call, as in libseccomp: the first unconditional one is the
 * only one; else equalities are looked at before other comparisons, and otherwise the profile's order counts. A rule that
 * says what the default says is left out before that, as in runc.
 */
export function decide(profile: SeccompProfile, rules: readonly ParsedRule[], architecture: Architecture): Decisions {
  const numbers = syscallNumbers(architecture);
  const defaultAction = actionValue(profile.defaultAction, profile.defaultErrnoRet);
  const collected = new Collected(defaultAction);
  let newest = -1;
  for (const rule of rules) {
    for (const name of rule.names) {
      const number = numbers.get(name);
      if (number === undefined) continue;
      if (number > newest && !isOwn(architecture, number)) newest = number;
      collected.add(number, rule);
    }
    if (architecture.name === "x86") addMultiplexed(collected, rule, numbers);
  }
  const answersNewer = !isPermissive(defaultAction) && defaultAction !== SECCOMP_RET_ERRNO + ENOSYS && newest >= 0;
  return {
    byNumber: collected.decisions(),
    otherwise: always(defaultAction),
    newerFrom: answersNewer ? newest + 1 : undefined,
  };
}

function addMultiplexed(collected: Collected, rule: ParsedRule, numbers: ReadonlyMap<string, number>): void {
  for (const name of rule.names) {
    const call = multiplexed.get(name);
    const carrier = call === undefined ? undefined : numbers.get(call.carrier);
    if (call !== undefined && carrier !== undefined)
      collected.add(carrier, { ...rule, alternatives: [[call.condition]] });
  }
}

/** Rules by the number of their call. */
class Collected {
  readonly #defaultAction: number;
  readonly #unconditional = new Map<number, Decision>();
  readonly #conditional = new Map<number, ConditionalRule[]>();

  constructor(defaultAction: number) {
    this.#defaultAction = defaultAction;
  }

  add(number: number, { action, alternatives }: ParsedRule): void {
    if (action === this.#defaultAction) return;
    if (alternatives.length === 0) {
      if (!this.#unconditional.has(number)) this.#unconditional.set(number, always(action));
      return;
    }
    const known = this.#conditional.get(number) ?? [];
    for (const conditions of alternatives) known.push({ conditions, action });
    this.#conditional.set(number, known);
  }

  decisions(): ReadonlyMap<number, Decision> {
    for (const [number, rules] of this.#conditional)
      if (!this.#unconditional.has(number))
        this.#unconditional.set(number, { rules: equalitiesFirst(rules), action: this.#defaultAction });
    return this.#unconditional;
  }
}

/** Whether the number belongs to the architecture's own block, which does not grow with the kernel's version. */
export function isOwn(architecture: Architecture, number: number): boolean {
  const { own, base } = architecture;
  return own !== undefined && number >= base + own[0] && number <= base + own[1];
}

function equalitiesFirst(rules: readonly ConditionalRule[]): ConditionalRule[] {
  const isExact = (rule: ConditionalRule): boolean => rule.conditions.every(({ comparison }) => comparison === "eq");
  return [...rules.filter(isExact), ...rules.filter((rule) => !isExact(rule))];
}
