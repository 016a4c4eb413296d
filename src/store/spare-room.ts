/**
 * Room on the disk that is kept for removals: to remove something takes a few pages of the database's log first, and a full disk,
 * where nothing but removing helps, has none.
 */

import { closeSync, fsyncSync, openSync, rmSync, statSync, writeSync } from "node:fs";

const SPARE_BYTES = 256 * 1024;
const PRIVATE = 0o600;
/** Behind a change, so that nobody waits for it, and what was removed has made room by then. */
const DELAY_MS = 500;

export class SpareRoom {
  readonly #path: string;
  #isThere: boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param path a file of its own. What an earlier engine left there counts. */
  constructor(path: string) {
    this.#path = path;
    this.#isThere = (statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= SPARE_BYTES;
  }

  /** Takes the room a moment later, where it is not taken already and the disk has it. */
  takeSoon(): void {
    if (this.#isThere || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#take();
    }, DELAY_MS);
  }

  #take(): void {
    // Not zeros: a file system may keep no room for those.
    const bytes = crypto.getRandomValues(new Uint8Array(64 * 1024));
    try {
      const file = openSync(this.#path, "w", PRIVATE);
      try {
        for (let size = 0; size < SPARE_BYTES; size += bytes.length) writeSync(file, bytes);
        fsyncSync(file); // some give blocks only now
      } finally {
        closeSync(file);
      }
      this.#isThere = true;
    } catch {
      this.give(); // there is none: another time
    }
  }

  /** Gives it back to the disk. @returns whether there was any */
  give(): boolean {
    const had = this.#isThere;
    this.#isThere = false;
    rmSync(this.#path, { force: true });
    return had;
  }
}
