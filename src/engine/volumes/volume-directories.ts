/**
 * The volumes' directories: `volumes/NAME/_data`. What is acknowledged is on the disk, and what a name leads to is whole or
 * not there: a directory that goes is renamed to `volumes/.gone-…` first.
 */

import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { isName } from "../../base/id.ts";
import { syncDirectory } from "../../store/synced-directory.ts";
import { type Places, volumePath, volumesDirectory } from "../places.ts";

/** Not a name that a volume can have. */
const GONE = ".gone-";

export class VolumeDirectories {
  readonly root: string;
  readonly #places: Places;

  constructor(places: Places) {
    this.#places = places;
    this.root = volumesDirectory(places);
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
  }

  /** Where a volume's data lies. */
  pathOf(name: string): string {
    return volumePath(this.#places, name);
  }

  /** Where content is put together before it is the volume's. */
  stagingOf(name: string): string {
    return join(this.root, name, "_new");
  }

  has(name: string): boolean {
    return existsSync(this.pathOf(name));
  }

  /** Not on this thread: what is mounted there may be slow. */
  async isEmpty(name: string): Promise<boolean> {
    return (await readdir(this.pathOf(name))).length === 0;
  }

  /** Settles when it is on the disk. */
  async make(name: string): Promise<void> {
    mkdirSync(this.pathOf(name), { recursive: true, mode: 0o755 });
    await syncDirectory(join(this.root, name));
    await syncDirectory(this.root);
  }

  /** What was put together takes the place of the empty directory. */
  async adopt(name: string): Promise<void> {
    renameSync(this.stagingOf(name), this.pathOf(name));
    await syncDirectory(join(this.root, name));
  }

  /** Out of sight, on the disk too. Where it is now, to be removed; undefined when it was not there. */
  async retire(name: string): Promise<string | undefined> {
    const directory = join(this.root, name);
    if (!existsSync(directory)) return undefined;
    const gone = join(this.root, `${GONE}${name.slice(0, 200)}-${crypto.randomUUID()}`);
    renameSync(directory, gone);
    await syncDirectory(this.root);
    return gone;
  }

  /** It was retired, and is the volume's after all. */
  bringBack(name: string, gone: string): void {
    renameSync(gone, join(this.root, name));
  }

  /** What an earlier engine did not come to the end of: retired directories, and content that was never adopted. */
  leftovers(): string[] {
    return readdirSync(this.root).flatMap((name) => {
      if (name.startsWith(GONE)) return [join(this.root, name)];
      return isName(name) && existsSync(this.stagingOf(name)) ? [this.stagingOf(name)] : [];
    });
  }

  /** Names that have a directory. */
  list(): string[] {
    return readdirSync(this.root).filter((name) => isName(name) && this.has(name));
  }

  /** Of a create that was not acknowledged. @returns false when there is data in it */
  async removeEmpty(name: string): Promise<boolean> {
    if (!(await this.isEmpty(name))) return false;
    rmdirSync(this.pathOf(name));
    rmdirSync(join(this.root, name));
    return true;
  }
}
