/**
 * The volumes' directories: `volumes/NAME/_data`. Changes are synced before they are acknowledged, and a directory is either complete or
 * absent: before it is removed, it is renamed to `volumes/.gone-…`.
 */

import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { isName } from "../../base/id.ts";
import { syncDirectory } from "../../store/synced-directory.ts";
import { type Places, volumePath, volumesDirectory } from "../places.ts";

/** A prefix that no volume's name can have. */
const GONE = ".gone-";

export class VolumeDirectories {
  readonly root: string;
  readonly #places: Places;

  constructor(places: Places) {
    this.#places = places;
    this.root = volumesDirectory(places);
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
  }

  /** The directory with a volume's data. */
  pathOf(name: string): string {
    return volumePath(this.#places, name);
  }

  /** The directory in which a volume's first content is assembled. */
  stagingOf(name: string): string {
    return join(this.root, name, "_new");
  }

  has(name: string): boolean {
    return existsSync(this.pathOf(name));
  }

  /** Asynchronous, because a slow file system may be mounted there. */
  async isEmpty(name: string): Promise<boolean> {
    return (await readdir(this.pathOf(name))).length === 0;
  }

  /** Makes the directory; settles when it is on the disk. */
  async make(name: string): Promise<void> {
    mkdirSync(this.pathOf(name), { recursive: true, mode: 0o755 });
    await syncDirectory(join(this.root, name));
    await syncDirectory(this.root);
  }

  /** Replaces the empty directory by the assembled content. */
  async adopt(name: string): Promise<void> {
    renameSync(this.stagingOf(name), this.pathOf(name));
    await syncDirectory(join(this.root, name));
  }

  /** Renames the directory away, durably. @returns its new path, to be removed; undefined if it did not exist */
  async retire(name: string): Promise<string | undefined> {
    const directory = join(this.root, name);
    if (!existsSync(directory)) return undefined;
    const gone = join(this.root, `${GONE}${name.slice(0, 200)}-${crypto.randomUUID()}`);
    renameSync(directory, gone);
    await syncDirectory(this.root);
    return gone;
  }

  /** Undoes `retire`. */
  bringBack(name: string, gone: string): void {
    renameSync(gone, join(this.root, name));
  }

  /** What an earlier engine has not finished: retired directories, and content that was never adopted. */
  leftovers(): string[] {
    return readdirSync(this.root).flatMap((name) => {
      if (name.startsWith(GONE)) return [join(this.root, name)];
      return isName(name) && existsSync(this.stagingOf(name)) ? [this.stagingOf(name)] : [];
    });
  }

  /** The names of all directories. */
  list(): string[] {
    return readdirSync(this.root).filter((name) => isName(name) && this.has(name));
  }

  /** Removes the directory of a create that was not acknowledged. @returns false if there is data in it */
  async removeEmpty(name: string): Promise<boolean> {
    if (!(await this.isEmpty(name))) return false;
    rmdirSync(this.pathOf(name));
    rmdirSync(join(this.root, name));
    return true;
  }
}
