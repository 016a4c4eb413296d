/**
 * Disk space that is kept for removals: a removal first needs a few pages of the database's log, which a full disk, on which only
 * removing helps, does not have.
 */

import { closeSync, fsyncSync, openSync, rmSync, statSync, writeSync } from "node:fs";

const SPARE_BYTES = 256 * 1024;
const PRIVATE = 0o600;
/** Delay after a change: nobody waits for it, and a removal has freed space by then. */
const DELAY_MS = 500;

export class SpareRoom {
  readonly #path: string;
  #isThere: boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param path a file of its own; one that an earlier engine left is used. */
  constructor(path: string) {
    this.#path = path;
    this.#isThere = (statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= SPARE_BYTES;
  }

  /** Allocates the space a moment later, unless it is allocated or the disk is full. */
  takeSoon(): void {
    if (this.#isThere || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#take();
    }, DELAY_MS);
  }

  #take(): void {
    // Not zeros, for which a file system may allocate nothing.
    const bytes = crypto.getRandomValues(new Uint8Array(64 * 1024));
    try {
      const file = openSync(this.#path, "w", PRIVATE);
      try {
        for (let size = 0; size < SPARE_BYTES; size += bytes.length) writeSync(file, bytes);
        fsyncSync(file); // some file systems allocate blocks only now
      } finally {
        closeSync(file);
      }
      this.#isThere = true;
    } catch {
      this.give(); // the disk is full: try again later
    }
  }

  /** Frees the space. @returns whether there was any */
  give(): boolean {
    const had = this.#isThere;
    this.#isThere = false;
    rmSync(this.#path, { force: true });
    return had;
  }
}
