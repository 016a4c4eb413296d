/** What in the content store nobody needs any more. */
import { OrlopError } from "../base/errors.ts";
import type { Digest } from "../spec/digest.ts";
import type { Index, Manifest } from "../spec/oci-image.ts";
import { manifestMax, parseManifest } from "../spec/oci-image-parse.ts";
import type { ContentStore } from "./content-store.ts";
import type { Leases } from "./leases.ts";

/** As deep as pulls go (pull.ts). */
const depthMax = 3;

export interface Collected {
  readonly removed: readonly Digest[];
  readonly freedBytes: number;
}

export interface CollectOptions {
  readonly store: ContentStore;
  /** What images name: manifests and indexes. */
  readonly roots: readonly Digest[];
  /** Asked right before each removal: pulls hold their blobs before they look for them, so what they found stays. */
  readonly leases: Leases;
  /** Unfinished downloads that may go on. */
  readonly underWay: ReadonlySet<Digest>;
}

/** Removes every blob that no root leads to. */
export async function collectGarbage({ store, roots, leases, underWay }: CollectOptions): Promise<Collected> {
  const needed = await reachable(store, roots);
  const removed: Digest[] = [];
  let freedBytes = await store.removeIngests(underWay);
  for (const { digest, size } of await store.list()) {
    if (needed.has(digest) || leases.has(digest)) continue;
    await store.remove(digest);
    removed.push(digest);
    freedBytes += size;
  }
  return { removed, freedBytes };
}

/** Every digest that these lead to. An index's platforms that were never pulled are not in the store: that is no fault. */
export async function reachable(store: ContentStore, roots: readonly Digest[]): Promise<Set<Digest>> {
  const found = new Set<Digest>(roots);
  let level: readonly Digest[] = roots;
  for (let depth = 0; depth < depthMax && level.length > 0; depth++) {
    const next: Digest[] = [];
    for (const digest of level) {
      const document = await readDocument(store, digest);
      if (document === undefined) continue;
      const children = document.kind === "index" ? document.manifests : [document.config, ...document.layers];
      for (const child of children) found.add(child.digest);
      if (document.kind === "index") next.push(...document.manifests.map((child) => child.digest));
    }
    level = next;
  }
  return found;
}

async function readDocument(store: ContentStore, digest: Digest): Promise<Manifest | Index | undefined> {
  try {
    return parseManifest(await store.read(digest, manifestMax), digest, { name: digest });
  } catch (error) {
    if (error instanceof OrlopError && error.code === "blob_unknown") return undefined;
    throw error;
  }
}
