/** Detach keys: typed on a terminal, they detach from the container, which goes on. By default `ctrl-p,ctrl-q`. */
import { OrlopError } from "../base/errors.ts";

export const defaultDetachKeys = "ctrl-p,ctrl-q";

const controlCodes: Readonly<Record<string, number>> = { "@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, _: 31 };

/** The bytes that a terminal sends for `ctrl-p,x`; "": no keys. */
export function parseDetachKeys(text: string): Uint8Array {
  if (text === "") return new Uint8Array(0);
  return Uint8Array.from(
    text.split(",").map((key) => {
      const control = /^ctrl-(.)$/i.exec(key)?.[1]?.toLowerCase();
      if (control !== undefined && control >= "a" && control <= "z") return control.charCodeAt(0) - 96;
      const code = control === undefined ? undefined : controlCodes[control];
      if (code !== undefined) return code;
      if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
      throw OrlopError.of("bad_value", {
        what: "--detach-keys",
        value: text,
        expected: "keys with commas between, each a character or ctrl- with a letter or one of @ [ \\ ] ^ _",
      });
    }),
  );
}

/** Finds the keys in the input. A possible beginning of them is held back until it is clear whether they follow. */
export class DetachScanner {
  readonly #keys: Uint8Array;
  #matched = 0;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  /** @returns the bytes to pass on, and whether the keys were typed (bytes after them are dropped) */
  scan(bytes: Uint8Array): { readonly pass: Uint8Array; readonly detach: boolean } {
    if (this.#keys.length === 0) return { pass: bytes, detach: false };
    const pass: number[] = [];
    for (const byte of bytes) {
      if (byte !== this.#keys[this.#matched]) {
        pass.push(...this.#keys.subarray(0, this.#matched));
        this.#matched = 0;
      }
      if (byte !== this.#keys[this.#matched]) pass.push(byte);
      else if (++this.#matched === this.#keys.length) return { pass: Uint8Array.from(pass), detach: true };
    }
    return { pass: Uint8Array.from(pass), detach: false };
  }
}
