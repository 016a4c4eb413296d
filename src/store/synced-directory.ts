/** A directory whose names are made durable together: not with each rename, but before something is written down that leans on them. */

import { open } from "node:fs/promises";
import { Serial } from "../base/serial.ts";

export class SyncedDirectory {
  readonly path: string;
  readonly #syncs = new Serial();
  /** Whoever was here before may have been killed between a rename and its sync. */
  #isChanged = true;

  constructor(path: string) {
    this.path = path;
  }

  /** A name in it has come. */
  changed(): void {
    this.#isChanged = true;
  }

  /** Settles when every name that it has by now is on the disk. */
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

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}
