/**
 * Unpacked layers, one directory each, by the digest of their tar: two images that share a layer share its files.
 *
 *     layers/HEX/          the files; read-only lower directory of overlays
 *     layers/HEX.json      facts that were found while it was unpacked
 *     layers/new/HEX-N/    a layer that is being unpacked; removed if a later engine finds it
 *
 * A directory under its final name is complete, verified and on the disk: it is renamed only after its content was verified and the
 * file system synced. So its existence is proof, also after a power loss. The name itself is on the disk once `sync` has settled,
 * which comes before any record that depends on it.
 */
import { randomBytes } from "node:crypto";
import { renameSync, rmSync } from "node:fs";
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { point } from "../base/point.ts";
import { type Digest, digestOfHex, hexOf } from "../spec/digest.ts";
import { SyncedDirectory } from "../store/synced-directory.ts";

/** Facts about an unpacked layer. */
export interface LayerFacts {
  /** The size of all its files together. */
  readonly contentBytes: number;
  /** Its /etc or its root is opaque: it hides /etc of the layers below. */
  readonly hidesEtc: boolean;
}

/** Fills an empty directory with a layer, verified and synced. */
export type FillLayer = (directory: string) => Promise<LayerFacts>;

/** What the executor does for this class. */
export interface LayerWork {
  /** Removes a tree of any size and any content. */
  removeTree(directory: string): Promise<void>;
  /** Tells the file system that the entries of a directory are unrelated (FS_TOPDIR_FL). */
  spread(directory: string): Promise<void>;
}

export class LayerDirectories {
  readonly #root: string;
  readonly #names: SyncedDirectory;
  readonly #new: string;
  readonly #work: LayerWork;
  #removals = 0;
  #spread: Promise<void> | undefined;
  readonly #underWay = new Map<Digest, Promise<LayerFacts>>();

  private constructor(root: string, work: LayerWork) {
    this.#root = root;
    this.#names = new SyncedDirectory(root);
    this.#new = join(root, "new");
    this.#work = work;
  }

  /** Opens the layers in this directory, and removes unfinished ones of an earlier engine. */
  static async open(root: string, work: LayerWork): Promise<LayerDirectories> {
    const layers = new LayerDirectories(root, work);
    await mkdir(layers.#new, { recursive: true, mode: 0o700 });
    for (const name of await readdir(layers.#new)) await work.removeTree(join(layers.#new, name));
    const names = new Set(await readdir(root));
    for (const name of names)
      if (name.endsWith(".json") && !names.has(name.slice(0, -".json".length)))
        rmSync(join(root, name), { force: true });
    return layers;
  }

  /** Settles when every layer that exists now would survive a power loss. */
  sync(): Promise<void> {
    return this.#names.sync();
  }

  /** The directory of a layer's files, once it exists. */
  pathOf(diffId: Digest): string {
    return join(this.#root, hexOf(diffId));
  }

  async has(diffId: Digest): Promise<boolean> {
    return (await stat(this.pathOf(diffId)).catch(missing)) !== undefined;
  }

  /** All layers. */
  async list(): Promise<Digest[]> {
    return (await readdir(this.#root)).filter((name) => /^[a-f0-9]{64}$/.test(name)).map(digestOfHex);
  }

  /** Facts about an existing layer. */
  async facts(diffId: Digest): Promise<LayerFacts> {
    return JSON.parse(await readFile(`${this.pathOf(diffId)}.json`, "utf8")) as LayerFacts;
  }

  /** Settles when the layer exists. When several callers want it at the same time, it is filled once. */
  async ensure(diffId: Digest, fill: FillLayer): Promise<LayerFacts> {
    for (let running = this.#underWay.get(diffId); running !== undefined; running = this.#underWay.get(diffId)) {
      const facts = await running.catch(() => undefined);
      // the caller that began it may have been aborted; an error of the layer itself will occur in our own attempt again
      if (facts !== undefined) return facts;
    }
    return this.#begin(diffId, fill);
  }

  #begin(diffId: Digest, fill: FillLayer): Promise<LayerFacts> {
    const running = this.#fill(diffId, fill).finally(() => this.#underWay.delete(diffId));
    this.#underWay.set(diffId, running);
    return running;
  }

  async #fill(diffId: Digest, fill: FillLayer): Promise<LayerFacts> {
    if (await this.has(diffId)) return this.facts(diffId);
    this.#spread ??= this.#work.spread(this.#new);
    await this.#spread;
    // a new name each time: ext4 places a directory by its name, and in a place where one was just removed creating another is slow
    const temporary = join(this.#new, `${hexOf(diffId)}-${randomBytes(4).toString("hex")}`);
    // 0755: the archive may not describe its own root
    await mkdir(temporary, { mode: 0o755 });
    const { contentBytes, hidesEtc } = await this.#fillOrRemove(temporary, fill);
    const facts = { contentBytes, hidesEtc };
    point("layer.filled");
    // before the directory, so that every layer has its facts
    await writeFile(`${this.pathOf(diffId)}.json`, JSON.stringify(facts), { flush: true });
    point("layer.facts");
    await rename(temporary, this.pathOf(diffId));
    point("layer.renamed");
    this.#names.changed();
    return facts;
  }

  async #fillOrRemove(directory: string, fill: FillLayer): Promise<LayerFacts> {
    try {
      return await fill(directory);
    } catch (error) {
      await this.#work.removeTree(directory);
      throw error;
    }
  }

  /** Removes a layer that no container uses. Renamed away before this returns, so that a partly removed one is never found. */
  async remove(diffId: Digest): Promise<void> {
    const temporary = join(this.#new, `${hexOf(diffId)}.gone${this.#removals++}`);
    try {
      renameSync(this.pathOf(diffId), temporary);
      rmSync(`${this.pathOf(diffId)}.json`, { force: true });
    } catch (error) {
      missing(error as NodeJS.ErrnoException);
      return;
    }
    await this.#work.removeTree(temporary);
  }
}

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT") return undefined;
  throw error;
}
