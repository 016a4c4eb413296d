/** The two documents at the top of the OCI image layout: `oci-layout`, and `index.json`, which names its images for other tools. */

import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { point } from "../base/point.ts";
import type { Descriptor } from "../spec/oci-image.ts";
import { syncDirectory } from "../store/synced-directory.ts";
import { sizeOf } from "./stored-file.ts";

/** A manifest or index, with its image's name if it has one. */
export type NamedManifest = Descriptor & { readonly name?: string };

export class LayoutIndex {
  readonly #root: string;
  readonly #temporary: string;
  /** The content of index.json. */
  #text = "";

  private constructor(root: string, temporary: string) {
    this.#root = root;
    this.#temporary = temporary;
  }

  /** Reads the layout's index, or writes an empty layout. @param temporary a directory on the same file system */
  static async open(root: string, temporary: string): Promise<LayoutIndex> {
    const index = new LayoutIndex(root, temporary);
    if ((await sizeOf(join(root, "index.json"))) === undefined) {
      await index.#replace("oci-layout", '{"imageLayoutVersion":"1.0.0"}');
      await index.write([]);
    }
    index.#text = await readFile(join(root, "index.json"), "utf8");
    return index;
  }

  /** Replaces index.json in one step, unless it is the same. */
  async write(images: readonly NamedManifest[]): Promise<void> {
    const manifests = images.map(({ name, platform, mediaType, digest, size }) => ({
      mediaType,
      digest,
      size,
      ...(platform === undefined ? {} : { platform }),
      ...(name === undefined ? {} : { annotations: { "org.opencontainers.image.ref.name": name } }),
    }));
    const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests };
    const text = JSON.stringify(index);
    if (text === this.#text) return;
    await this.#replace("index.json", text);
    this.#text = text;
  }

  async #replace(name: string, text: string): Promise<void> {
    const temporary = join(this.#temporary, `${name}.new`);
    await writeFile(temporary, text, { flush: true });
    point("layout.written");
    await rename(temporary, join(this.#root, name));
    await syncDirectory(this.#root);
  }
}
