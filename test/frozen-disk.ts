/** A file system of a test's own that can stand still: who writes to it then waits in the kernel, and nothing kills it. */

import { execFileSync } from "node:child_process";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export class FrozenDisk {
  readonly path: string;
  #isFrozen = false;

  constructor(directory: string) {
    this.path = join(directory, "disk");
    const image = `${this.path}.ext4`;
    mkdirSync(this.path);
    writeFileSync(image, "");
    truncateSync(image, 16 << 20);
    execFileSync("mkfs.ext4", ["-q", "-m", "0", image]);
    execFileSync("mount", ["-o", "loop", image, this.path]);
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
    execFileSync("umount", [this.path]);
  }
}
