/**
 * Reads lines of /etc/passwd and /etc/group as getpwent(3) does: fields between colons; lines without one are skipped. The files are the
 * container's, which may write ten megabytes of two-byte lines, or a single line. So each character is looked at once, and nothing is
 * allocated for lines that do not match.
 */

const NUL = 0;
const NEWLINE = 10;
const SPACE = 32;
const HASH = 35;
const COMMA = 44;
const DIGIT_ZERO = 48;
const COLON = 58;
/** More fields than either file has. */
const FIELDS_MAX = 8;

export class AccountLines {
  readonly #text: string;
  #next = 0;
  #start = 0;
  /** The end of each field of the current line. */
  readonly #ends = new Array<number>(FIELDS_MAX).fill(0);
  #fields = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Goes on to the next line that has at least so many fields; false: there is none. */
  next(fields: number): boolean {
    while (this.#next < this.#text.length) {
      if (this.#text.charCodeAt(this.#next) === NEWLINE) this.#next++;
      else if (this.#takeLine() && this.#fields >= fields) return true;
    }
    return false;
  }

  /** false: empty, a comment, or no text. */
  #takeLine(): boolean {
    const text = this.#text;
    let start = this.#next;
    let at = start;
    let count = 0;
    let isText = true;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === NEWLINE) break;
      if (code === COLON && count < FIELDS_MAX - 1) this.#ends[count++] = at;
      else if (code === NUL) isText = false;
    }
    this.#next = at + 1;
    while (start < at && text.charCodeAt(start) <= SPACE) start++;
    while (at > start && text.charCodeAt(at - 1) <= SPACE) at--;
    this.#start = start;
    this.#ends[count] = at;
    this.#fields = count + 1;
    return isText && at > start && text.charCodeAt(start) !== HASH;
  }

  #from(field: number): number {
    return field === 0 ? this.#start : (this.#ends[field - 1] as number) + 1;
  }

  #to(field: number): number {
    return this.#ends[field] as number;
  }

  /** "" for a missing field. */
  field(field: number): string {
    return field < this.#fields ? this.#text.slice(this.#from(field), this.#to(field)) : "";
  }

  is(field: number, wanted: string): boolean {
    const from = this.#from(field);
    return this.#to(field) - from === wanted.length && this.#text.startsWith(wanted, from);
  }

  /** A number of decimal digits only; NaN for everything else. */
  number(field: number): number {
    const to = this.#to(field);
    let at = this.#from(field);
    let value = at === to ? Number.NaN : 0;
    for (; at < to; at++) {
      const digit = this.#text.charCodeAt(at) - DIGIT_ZERO;
      if (digit < 0 || digit > 9) return Number.NaN;
      value = value * 10 + digit;
    }
    return value;
  }

  /** Whether it is one of the names between commas. */
  lists(field: number, name: string): boolean {
    if (name === "" || field >= this.#fields || this.#to(field) - this.#from(field) < name.length) return false;
    const members = this.field(field);
    for (let at = members.indexOf(name); at >= 0; at = members.indexOf(name, at + name.length))
      if (isEdge(members, at - 1, -1) && isEdge(members, at + name.length, 1)) return true;
    return false;
  }
}

/** In this direction nothing but spaces comes before the next comma. */
function isEdge(text: string, from: number, step: 1 | -1): boolean {
  let at = from;
  while (at >= 0 && at < text.length && text.charCodeAt(at) <= SPACE) at += step;
  return at < 0 || at >= text.length || text.charCodeAt(at) === COMMA;
}
