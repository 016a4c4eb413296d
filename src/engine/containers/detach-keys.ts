/** The keys with which a client detaches: found in its input, and not passed on to the container. */

import { OrlopError } from "../../base/errors.ts";

/** Docker's: ctrl-p, ctrl-q. */
export const defaultDetachKeys: readonly number[] = [0x10, 0x11];

/**
 * Bytes of "ctrl-p,ctrl-q", "ctrl-@", "a".
 *
 * @throws {OrlopError} bad_detach_keys
 */
export function parseDetachKeys(text: string): readonly number[] {
  if (text.length > 64) throw OrlopError.of("bad_detach_keys", { keys: text });
  return text.split(",").map((key) => {
    const control = /^ctrl-([a-zA-Z@[\\\]^_])$/.exec(key)?.[1];
    if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
    if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
    throw OrlopError.of("bad_detach_keys", { keys: text });
  });
}

/** Finds the keys in a stream of bytes, also across chunks. */
export class DetachScanner {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** @returns the bytes for the container; `detached` when the keys are complete (bytes after them are dropped) */
  scan(chunk: Uint8Array): { readonly passed: Uint8Array; readonly detached: boolean } {
    const passed: number[] = [];
    for (const byte of chunk) {
      while (this.#matched > 0 && byte !== this.#keys[this.#matched]) this.#release(passed);
      if (byte === this.#keys[this.#matched]) this.#matched++;
      else passed.push(byte);
      if (this.#matched === this.#keys.length) return { passed: Uint8Array.from(passed), detached: true };
    }
    return { passed: Uint8Array.from(passed), detached: false };
  }

  /** The bytes held back are not the keys: passes on as many as needed for the rest to be a prefix of the keys again. */
  #release(passed: number[]): void {
    const held = this.#keys.slice(0, this.#matched);
    for (let size = held.length - 1; size >= 0; size--) {
      if (held.slice(held.length - size).every((byte, index) => byte === this.#keys[index])) {
        passed.push(...held.slice(0, held.length - size));
        this.#matched = size;
        return;
      }
    }
  }
}
