/** The syntax of patterns (`pattern.ts`): a text becomes a tree. */

export class PatternError extends Error {}

export type Test = (code: number) => boolean;

export type PatternNode =
  | { readonly kind: "test"; readonly test: Test }
  | { readonly kind: "edge"; readonly edge: Edge }
  | { readonly kind: "all"; readonly of: readonly PatternNode[] }
  | { readonly kind: "any"; readonly of: readonly PatternNode[] }
  | { readonly kind: "repeat"; readonly of: PatternNode; readonly least: number; readonly most: number };

export type Edge = "start" | "end" | "word" | "inside";

/** Go's bound of {N,M}. */
const REPEAT_MAX = 1000;
const DEPTH_MAX = 200;

const isDigit: Test = (code) => code >= 48 && code <= 57;
const isLower: Test = (code) => code >= 97 && code <= 122;
const isUpper: Test = (code) => code >= 65 && code <= 90;
const isAlpha: Test = (code) => isLower(code) || isUpper(code);
export const isWord: Test = (code) => isAlpha(code) || isDigit(code) || code === 95;
const isSpace: Test = (code) => code === 32 || (code >= 9 && code <= 13);
const not =
  (test: Test): Test =>
  (code) =>
    !test(code);

const classes: Readonly<Record<string, Test>> = { d: isDigit, w: isWord, s: isSpace };
const named: Readonly<Record<string, Test>> = {
  alnum: (code) => isAlpha(code) || isDigit(code),
  alpha: isAlpha,
  digit: isDigit,
  lower: isLower,
  upper: isUpper,
  space: isSpace,
  word: isWord,
};
const controls: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };
const edges: Readonly<Record<string, Edge>> = { A: "start", z: "end", b: "word", B: "inside" };

/** @throws {PatternError} what is wrong with it */
export function parsePattern(text: string): PatternNode {
  return new Parser(text).parse();
}

class Parser {
  readonly #text: string;
  readonly #ignoresCase: boolean;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#ignoresCase = text.startsWith("(?i)");
    this.#text = this.#ignoresCase ? text.slice(4) : text;
  }

  parse(): PatternNode {
    const node = this.#any();
    if (this.#at < this.#text.length) throw new PatternError("a ) without its (");
    return node;
  }

  #takes(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #matches(pattern: RegExp): RegExpExecArray | null {
    const match = pattern.exec(this.#text.slice(this.#at, this.#at + 16));
    this.#at += match?.[0].length ?? 0;
    return match;
  }

  #next(): number {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) throw new PatternError("it ends too early");
    this.#at += code > 0xffff ? 2 : 1;
    return code;
  }

  #any(): PatternNode {
    if (++this.#depth > DEPTH_MAX) throw new PatternError(`over ${DEPTH_MAX} groups in each other`);
    const of = [this.#all()];
    while (this.#takes("|")) of.push(this.#all());
    this.#depth--;
    return { kind: "any", of };
  }

  #all(): PatternNode {
    const of: PatternNode[] = [];
    while (this.#at < this.#text.length && !"|)".includes(this.#text.charAt(this.#at))) of.push(this.#repeated());
    return { kind: "all", of };
  }

  #repeated(): PatternNode {
    const of = this.#one();
    const repeat = this.#matches(/^(?:[*+?]|\{(\d{1,4})(,?)(\d{0,4})\})/);
    if (repeat === null) return of;
    this.#takes("?"); // as few as possible: for yes or no it is the same
    if ("*+?".includes(this.#text.charAt(this.#at)) && this.#at < this.#text.length)
      throw new PatternError("a repetition of a repetition");
    const [sign, first = "", comma, last = ""] = repeat;
    if (sign === "*") return { kind: "repeat", of, least: 0, most: Number.POSITIVE_INFINITY };
    if (sign === "+") return { kind: "repeat", of, least: 1, most: Number.POSITIVE_INFINITY };
    if (sign === "?") return { kind: "repeat", of, least: 0, most: 1 };
    const least = Number(first);
    const most = comma === "" ? least : last === "" ? Number.POSITIVE_INFINITY : Number(last);
    if (least > REPEAT_MAX || (most > REPEAT_MAX && most !== Number.POSITIVE_INFINITY) || most < least)
      throw new PatternError(`${sign} is no number of times, or over ${REPEAT_MAX}`);
    return { kind: "repeat", of, least, most };
  }

  #one(): PatternNode {
    if (this.#takes("(")) {
      this.#matches(/^\?(?::|P?<\w{1,10}>)/);
      const inside = this.#any();
      if (!this.#takes(")")) throw new PatternError("a ( without its )");
      return inside;
    }
    if (this.#takes("^")) return { kind: "edge", edge: "start" };
    if (this.#takes("$")) return { kind: "edge", edge: "end" };
    if (this.#takes(".")) return { kind: "test", test: (code) => code !== 10 };
    if (this.#takes("[")) return { kind: "test", test: this.#class() };
    const edge = this.#matches(/^\\([AzbB])/)?.[1];
    if (edge !== undefined) return { kind: "edge", edge: edges[edge] as Edge };
    if ("*+?".includes(this.#text.charAt(this.#at))) throw new PatternError("nothing that could be repeated");
    const found = this.#character();
    return { kind: "test", test: typeof found === "number" ? this.#only(found, found) : found };
  }

  /** A character, or a class of them. */
  #character(): number | Test {
    if (!this.#takes("\\")) return this.#next();
    const hex = this.#matches(/^(?:x([0-9a-fA-F]{2})|x\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4}))/);
    if (hex !== null) return Number.parseInt(hex[1] ?? hex[2] ?? hex[3] ?? "", 16);
    const code = this.#next();
    const letter = String.fromCodePoint(code);
    const known = classes[letter.toLowerCase()];
    if (known !== undefined) return letter === letter.toLowerCase() ? known : not(known);
    if (Object.hasOwn(controls, letter)) return controls[letter] as number;
    if (isWord(code)) throw new PatternError(`\\${letter} is not known`);
    return code;
  }

  #class(): Test {
    const isOthers = this.#takes("^");
    const tests: Test[] = [];
    for (let isFirst = true; isFirst || !this.#takes("]"); isFirst = false) {
      const name = this.#matches(/^\[:(\^?)([a-z]{1,10}):\]/);
      const known = name === null ? undefined : named[name[2] ?? ""];
      if (name !== null && known === undefined) throw new PatternError(`${name[0]} is not known`);
      const from = known === undefined ? this.#character() : name?.[1] === "^" ? not(known) : known;
      if (typeof from !== "number") tests.push(from);
      else tests.push(this.#only(from, this.#rangeEnd(from)));
    }
    const isOne: Test = (code) => tests.some((test) => test(code));
    return isOthers ? not(isOne) : isOne;
  }

  #rangeEnd(from: number): number {
    if (this.#text.charAt(this.#at) !== "-" || this.#text.charAt(this.#at + 1) === "]") return from;
    this.#at++;
    const to = this.#character();
    if (typeof to !== "number" || to < from) throw new PatternError("a range whose end is before its beginning");
    return to;
  }

  #only(from: number, to: number): Test {
    const test: Test = (code) => code >= from && code <= to;
    if (!this.#ignoresCase) return test;
    return (code) => test(code) || (isLower(code) && test(code - 32)) || (isUpper(code) && test(code + 32));
  }
}
