/**
 * Regular expressions from clients, matched without backtracking: JavaScript's own take exponential time for (a+)+$, and the engine has
 * one thread for everybody. The time is at most the text's length times the pattern's (a Thompson automaton, whose states are all
 * followed at once). The syntax is that of Go's regexp package, as far as filters need it: no captures, no Unicode classes.
 */

import { type Edge, isWord, PatternError, type PatternNode, parsePattern, type Test } from "./pattern-parse.ts";

/** A state of the automaton: a character, an assertion, a branch, or the end. */
type State =
  | { readonly kind: "test"; readonly test: Test }
  | { readonly kind: "edge"; readonly edge: Edge }
  | { readonly kind: "split"; to: number; or: number }
  | { readonly kind: "match" };

const STATES_MAX = 10_000;
/** A repetition may match nothing. */
const WORK_MAX = 100_000;

export class Pattern {
  readonly #states: State[] = [];
  #work = 0;

  /** @throws {PatternError} what is wrong with it */
  constructor(text: string) {
    this.#compile(parsePattern(text));
    this.#add({ kind: "match" });
  }

  /** Whether it matches anywhere in the text. */
  test(text: string): boolean {
    let now: number[] = [];
    for (let at = 0; ; ) {
      // every start position is tried in parallel
      const here = this.#reached([...now, 0], text, at);
      if (here.some((state) => this.#states[state]?.kind === "match")) return true;
      const code = text.codePointAt(at);
      if (code === undefined) return false;
      at += code > 0xffff ? 2 : 1;
      now = here.flatMap((number) => {
        const state = this.#states[number];
        return state?.kind === "test" && state.test(code) ? [number + 1] : [];
      });
    }
  }

  #add(state: State): number {
    if (this.#states.length >= STATES_MAX) throw new PatternError(`it is over ${STATES_MAX} states long`);
    return this.#states.push(state) - 1;
  }

  #compile(node: PatternNode): void {
    if (++this.#work > WORK_MAX) throw new PatternError("its repetitions are too many");
    if (node.kind === "all") for (const one of node.of) this.#compile(one);
    else if (node.kind === "any") this.#compileAny(node.of);
    else if (node.kind === "repeat") this.#compileRepeat(node);
    else this.#add(node);
  }

  #compileAny(of: readonly PatternNode[]): void {
    const ends: number[] = [];
    of.forEach((node, index) => {
      const split = index < of.length - 1 ? this.#split() : undefined;
      this.#compile(node);
      if (split === undefined) return;
      ends.push(this.#split());
      this.#lead(split, split + 1, this.#states.length);
    });
    for (const end of ends) this.#lead(end, this.#states.length, this.#states.length);
  }

  #compileRepeat({ of, least, most }: Extract<PatternNode, { kind: "repeat" }>): void {
    for (let i = 0; i < least; i++) this.#compile(of);
    if (most === Number.POSITIVE_INFINITY) {
      const split = this.#split();
      this.#compile(of);
      const back = this.#split();
      this.#lead(back, split, split);
      this.#lead(split, split + 1, this.#states.length);
      return;
    }
    const splits: number[] = [];
    for (let i = least; i < most; i++) {
      splits.push(this.#split());
      this.#compile(of);
    }
    for (const split of splits) this.#lead(split, split + 1, this.#states.length);
  }

  #split(): number {
    return this.#add({ kind: "split", to: 0, or: 0 });
  }

  #lead(split: number, to: number, or: number): void {
    Object.assign(this.#states[split] as State, { to, or });
  }

  /** The states reachable without a character that wait for one, or match. */
  #reached(from: readonly number[], text: string, at: number): number[] {
    const seen = new Uint8Array(this.#states.length);
    const found: number[] = [];
    for (const left = [...from]; left.length > 0; ) {
      const number = left.pop() as number;
      if (seen[number] === 1) continue;
      seen[number] = 1;
      const state = this.#states[number] as State;
      if (state.kind === "split") left.push(state.to, state.or);
      else if (state.kind !== "edge") found.push(number);
      else if (isAt(state.edge, text, at)) left.push(number + 1);
    }
    return found;
  }
}

function isAt(edge: Edge, text: string, at: number): boolean {
  if (edge === "start") return at === 0;
  if (edge === "end") return at === text.length;
  const before = at > 0 && isWord(text.charCodeAt(at - 1));
  const behind = at < text.length && isWord(text.charCodeAt(at));
  return (before !== behind) === (edge === "word");
}
