/**
 * Unpacked layers, one directory each, by the digest of their tar: two images that share a layer share its files.
 *
 *     layers/HEX/          the files; read-only lower directory of overlays
 *     layers/new/HEX/      a layer on its way; removed when it is found again
 *
 * A directory under its final name is whole, verified and on the disk: it is renamed only after the executor has verified
 * its content and synced the file system. So existence is proof, after a power loss too.
 */
import { mkdir, open, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestOfHex, hexOf } from "../spec/digest.ts";

/** Fills an empty directory with a layer, verified and synced. */
export type FillLayer = (directory: string) => Promise<void>;
/** Removes a tree of any size and any content: the executor's business. */
export type RemoveTree = (directory: string) => Promise<void>;

export class LayerDirectories {
  readonly #root: string;
  readonly #new: string;
  readonly #removeTree: RemoveTree;
  readonly #underWay = new Map<Digest, Promise<void>>();

  private constructor(root: string, removeTree: RemoveTree) {
    this.#root = root;
    this.#new = join(root, "new");
    this.#removeTree = removeTree;
  }

  /** Opens the layers in this directory, and removes what an earlier engine did not finish. */
  static async open(root: string, removeTree: RemoveTree): Promise<LayerDirectories> {
    const layers = new LayerDirectories(root, removeTree);
    await mkdir(layers.#new, { recursive: true, mode: 0o700 });
    for (const name of await readdir(layers.#new)) await removeTree(join(layers.#new, name));
    return layers;
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

  /** Settles when the layer is here. However many want it at the same time, it is filled once. */
  async ensure(diffId: Digest, fill: FillLayer): Promise<void> {
    const running = this.#underWay.get(diffId) ?? this.#begin(diffId, fill);
    return running;
  }

  #begin(diffId: Digest, fill: FillLayer): Promise<void> {
    const running = this.#fill(diffId, fill).finally(() => this.#underWay.delete(diffId));
    this.#underWay.set(diffId, running);
    return running;
  }

  async #fill(diffId: Digest, fill: FillLayer): Promise<void> {
    if (await this.has(diffId)) return;
    const temporary = join(this.#new, hexOf(diffId));
    // 0755: the archive may not describe its own root
    await mkdir(temporary, { mode: 0o755 });
    try {
      await fill(temporary);
      await rename(temporary, this.pathOf(diffId));
    } catch (error) {
      await this.#removeTree(temporary);
      throw error;
    }
    await using folder = await open(this.#root, "r");
    await folder.sync();
  }

  /** Removes a layer that no container uses: out of sight first, so that half of one is never found. */
  async remove(diffId: Digest): Promise<void> {
    const temporary = join(this.#new, hexOf(diffId));
    const moved = await rename(this.pathOf(diffId), temporary).then(() => true, missing);
    if (moved === true) await this.#removeTree(temporary);
  }
}

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT") return undefined;
  throw error;
}
