/**
 * Conditions on arguments as BPF. A 64-bit argument is two words, and a filter reads one word at a time; what earlier tests
 * on the way here have shown is remembered, so that nothing is loaded or compared twice.
 */

import type { Condition } from "./condition.ts";
import type { ConditionalRule, Decision } from "./decision.ts";
import { JEQ, JGE, JGT, type ProgramBuilder, type Target } from "./program-builder.ts";

/** struct seccomp_data: args[] begin here, 8 bytes each, little-endian. */
const ARGS_OFFSET = 16;
const LOW_WORD = 0xffff_ffffn;
const FULL_MASK = 0xffff_ffff;

/** What is known at a point of the program. */
interface Facts {
  /** Offset of the word that the accumulator holds; -1: none. */
  readonly loaded: number;
  /** Offset → the value that the word is known to have. */
  readonly equal: ReadonlyMap<number, number>;
  /** Offset → a value that the word is known not to have: the last one that was tried. */
  readonly unequal: ReadonlyMap<number, number>;
}

/** Builds what follows, given what is known there. */
type Next = (facts: Facts) => Target;

const nothingKnown: Facts = { loaded: -1, equal: new Map(), unequal: new Map() };

export class ArgumentFilter {
  readonly #builder: ProgramBuilder;
  readonly #wide: boolean;
  readonly #ends = new Map<string, Target>();

  /** @param wide  compare 64 bits; else the low 32 */
  constructor(builder: ProgramBuilder, wide: boolean) {
    this.#builder = builder;
    this.#wide = wide;
  }

  build(decision: Decision): Target {
    this.#ends.clear();
    return this.#rules(decision, 0, nothingKnown);
  }

  #rules(decision: Decision, at: number, facts: Facts): Target {
    const rule = decision.rules[at];
    if (rule === undefined) return this.#builder.ret(decision.action);
    const useful = restrict(facts, rule);
    const key = `${at} ${useful.loaded} ${[...useful.equal]} ${[...useful.unequal]}`;
    const known = this.#ends.get(key);
    if (known !== undefined) return known;
    const target = this.#conditions(rule, 0, useful, (later) => this.#rules(decision, at + 1, later));
    this.#ends.set(key, target);
    return target;
  }

  #conditions(rule: ConditionalRule, at: number, facts: Facts, no: Next): Target {
    const condition = rule.conditions[at];
    if (condition === undefined) return this.#builder.ret(rule.action);
    return this.#condition(condition, facts, (later) => this.#conditions(rule, at + 1, later, no), no);
  }

  #condition(condition: Condition, facts: Facts, yes: Next, no: Next): Target {
    switch (condition.comparison) {
      case "eq":
        return this.#equal(condition, facts, yes, no);
      case "masked":
        return this.#equal(condition, facts, yes, no);
      case "ne":
        return this.#equal(condition, facts, no, yes);
      case "ge":
        return this.#atLeast(condition, JGE, facts, yes, no);
      case "lt":
        return this.#atLeast(condition, JGE, facts, no, yes);
      case "gt":
        return this.#atLeast(condition, JGT, facts, yes, no);
      case "le":
        return this.#atLeast(condition, JGT, facts, no, yes);
    }
  }

  /** argument & mask == value */
  #equal({ index, value, mask }: Condition, facts: Facts, yes: Next, no: Next): Target {
    const { low, high } = offsets(index);
    const lowTest: Next = (later) => this.#word(low, Number(mask & LOW_WORD), Number(value & LOW_WORD), later, yes, no);
    if (!this.#wide) return lowTest(facts);
    return this.#word(high, Number(mask >> 32n), Number(value >> 32n), facts, lowTest, no);
  }

  /** word & mask == value */
  #word(offset: number, mask: number, value: number, facts: Facts, yes: Next, no: Next): Target {
    if (mask === 0) return yes(facts);
    const known = facts.equal.get(offset);
    if (known !== undefined) return (known & mask) >>> 0 === value ? yes(facts) : no(facts);
    if (mask !== FULL_MASK) {
      const after: Facts = { ...facts, loaded: -1 };
      const compare = this.#builder.jump(JEQ, value, yes(after), no(after));
      return this.#load(offset, facts, this.#builder.and(mask, compare));
    }
    if (facts.unequal.get(offset) === value) return no(facts);
    const after: Facts = { ...facts, loaded: offset };
    const unequal = new Map(facts.unequal).set(offset, value);
    const compare = this.#builder.jump(JEQ, value, yes(withEqual(after, offset, value)), no({ ...after, unequal }));
    return this.#load(offset, facts, compare);
  }

  /** argument >= value (JGE) or > value (JGT): by the high words, and where those are equal by the low ones. */
  #atLeast({ index, value }: Condition, code: typeof JGE | typeof JGT, facts: Facts, yes: Next, no: Next): Target {
    const { low, high } = offsets(index);
    const lowValue = Number(value & LOW_WORD);
    const highValue = Number(value >> 32n);
    const lowTest: Next = (later) => {
      const known = later.equal.get(low);
      if (known !== undefined) return (code === JGE ? known >= lowValue : known > lowValue) ? yes(later) : no(later);
      const after: Facts = { ...later, loaded: low };
      return this.#load(low, later, this.#builder.jump(code, lowValue, yes(after), no(after)));
    };
    if (!this.#wide) return lowTest(facts);
    const known = facts.equal.get(high);
    if (known !== undefined) {
      if (known === highValue) return lowTest(facts);
      return known > highValue ? yes(facts) : no(facts);
    }
    const after: Facts = { ...facts, loaded: high };
    const whenLess = highValue === 0 ? yes(after) : no(after); // nothing is less than 0: unequal is greater
    const equal = this.#builder.jump(JEQ, highValue, lowTest(withEqual(after, high, highValue)), whenLess);
    const compare = highValue === 0 ? equal : this.#builder.jump(JGT, highValue, yes(after), equal);
    return this.#load(high, facts, compare);
  }

  #load(offset: number, facts: Facts, then: Target): Target {
    return facts.loaded === offset ? then : this.#builder.load(offset, then);
  }
}

function offsets(index: number): { readonly low: number; readonly high: number } {
  const low = ARGS_OFFSET + 8 * index;
  return { low, high: low + 4 };
}

function withEqual(facts: Facts, offset: number, value: number): Facts {
  return { ...facts, equal: new Map(facts.equal).set(offset, value) };
}

/** Facts about the rule's first argument alone: more would multiply the ways to arrive at a rule. */
function restrict({ loaded, equal, unequal }: Facts, rule: ConditionalRule): Facts {
  const { low, high } = offsets(rule.conditions[0]?.index ?? 0);
  return {
    loaded: loaded === low || loaded === high ? loaded : -1,
    equal: new Map([...equal].filter(([offset]) => offset === low || offset === high)),
    // Of a low word every value was tried once: the next rule tries another one.
    unequal: new Map([...unequal].filter(([offset]) => offset === high)),
  };
}
