/** A file system of a test's own that can be full, or stand still: who writes to it then waits in the kernel, and nothing kills it. */

import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

export class FrozenDisk {
  readonly path: string;
  #isFrozen = false;

  /** @param name of its directory */
  constructor(directory: string, name = "disk") {
    this.path = join(directory, name);
    const image = `${this.path}.ext4`;
    mkdirSync(this.path);
    writeFileSync(image, "");
    truncateSync(image, 16 << 20);
    execFileSync("mkfs.ext4", ["-q", "-m", "0", image]);
    execFileSync("mount", ["-o", "loop", image, this.path]);
  }

  /** Takes what is left of its room, to the last byte. */
  fill(): void {
    for (let block = 1 << 20; block >= 1; block >>= 1) {
      const file = openSync(join(this.path, `fill-${block}`), "a");
      try {
        for (;;) writeSync(file, new Uint8Array(block));
      } catch (error) {
        if ((error as { code?: string }).code !== "ENOSPC") throw error;
      } finally {
        closeSync(file);
      }
    }
  }

  /** Gives the room back that `fill` took. */
  empty(): void {
    for (let block = 1 << 20; block >= 1; block >>= 1) rmSync(join(this.path, `fill-${block}`), { force: true });
  }

  freeze(): void {
    execFileSync("fsfreeze", ["-f", this.path]);
    this.#isFrozen = true;
  }

  thaw(): void {
    if (this.#isFrozen) execFileSync("fsfreeze", ["-u", this.path]);
    this.#isFrozen = false;
  }

  [Symbol.dispose](): void {
    this.thaw();
    execFileSync("umount", ["-l", this.path]);
  }
}
