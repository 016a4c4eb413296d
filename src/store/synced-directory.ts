/** A directory that is synced not after each rename, but before a record is written that depends on its names. */

import { open } from "node:fs/promises";
import { Serial } from "../base/serial.ts";

export class SyncedDirectory {
  readonly path: string;
  readonly #syncs = new Serial();
  /** Initially unsynced: an earlier engine may have been killed between a rename and its sync. */
  #isChanged = true;

  constructor(path: string) {
    this.path = path;
  }

  /** A name was added. */
  changed(): void {
    this.#isChanged = true;
  }

  /** Settles when all names that it has now are on the disk. */
  sync(): Promise<void> {
    return this.#syncs.run(async () => {
      if (!this.#isChanged) return;
      this.#isChanged = false;
      try {
        await syncDirectory(this.path);
      } catch (error) {
        this.#isChanged = true;
        throw error;
      }
    });
  }
}

/** Syncs a directory, which makes its names durable. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}
