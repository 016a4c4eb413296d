/**
 * Unpacked layers, one directory each, by the digest of their tar: two images that share a layer share its files.
 *
 *     layers/HEX/          the files; read-only lower directory of overlays
 *     layers/HEX.json      what was learned while it was unpacked
 *     layers/new/HEX-N/    a layer on its way; removed when it is found again
 *
 * A directory under its final name is whole, verified and on the disk: it is renamed only after the executor has verified
 * its content and synced the file system. So existence is proof, after a power loss too. The name itself is on the disk when
 * `sync` has settled: before anything is written down that leans on it.
 */
import { randomBytes } from "node:crypto";
import { renameSync, rmSync } from "node:fs";
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { point } from "../base/point.ts";
import { type Digest, digestOfHex, hexOf } from "../spec/digest.ts";
import { SyncedDirectory } from "../store/synced-directory.ts";

/** What is known of a layer once it was unpacked. */
export interface LayerFacts {
  /** Of all its files together. */
  readonly contentBytes: number;
  /** Its /etc or its root is opaque: /etc of the layers below is not seen. */
  readonly hidesEtc: boolean;
}

/** Fills an empty directory with a layer, verified and synced. */
export type FillLayer = (directory: string) => Promise<LayerFacts>;

/** The executor's business. */
export interface LayerWork {
  /** Removes a tree of any size and any content. */
  removeTree(directory: string): Promise<void>;
  /** Tells the file system that what lies in a directory has nothing to do with each other. */
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

  /** Opens the layers in this directory, and removes what an earlier engine did not finish. */
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

  /** Settles when every layer that is here by now stays, whatever happens. */
  sync(): Promise<void> {
    return this.#names.sync();
  }

  /** Where a layer's files are, once they are there. */
  pathOf(diffId: Digest): string {
    return join(this.#root, hexOf(diffId));
  }

  async has(diffId: Digest): Promise<boolean> {
    return (await stat(this.pathOf(diffId)).catch(missing)) !== undefined;
  }

  /** Every layer that is here. */
  async list(): Promise<Digest[]> {
    return (await readdir(this.#root)).filter((name) => /^[a-f0-9]{64}$/.test(name)).map(digestOfHex);
  }

  /** What is known of a layer that is here. */
  async facts(diffId: Digest): Promise<LayerFacts> {
    return JSON.parse(await readFile(`${this.pathOf(diffId)}.json`, "utf8")) as LayerFacts;
  }

  /** Settles when the layer is here. However many want it at the same time, it is filled once. */
  async ensure(diffId: Digest, fill: FillLayer): Promise<LayerFacts> {
    for (let running = this.#underWay.get(diffId); running !== undefined; running = this.#underWay.get(diffId)) {
      const facts = await running.catch(() => undefined);
      // who began it may have left in the middle: if something is wrong with the layer, our own attempt says it
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
    // a name of its own each time: by its name ext4 chooses where it lies, and where one was just removed another is slow to make
    const temporary = join(this.#new, `${hexOf(diffId)}-${randomBytes(4).toString("hex")}`);
    // 0755: the archive may not describe its own root
    await mkdir(temporary, { mode: 0o755 });
    const { contentBytes, hidesEtc } = await this.#fillOrRemove(temporary, fill);
    const facts = { contentBytes, hidesEtc };
    point("layer.filled");
    // before the directory: where there is one, it is known
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

  /** Removes a layer that no container uses. It is out of sight before this returns: half of one is never found. */
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
