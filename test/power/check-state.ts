/** What a state directory holds after a power loss: whole, or not there. */

import { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ImageRecord, NameRecord } from "../../src/engine/images/image-record.ts";

/** A layer's files, by their path. */
export type Files = Readonly<Record<string, Buffer>>;

/** What was acknowledged at that place of the record: these names, and no others. */
export interface Acknowledged {
  readonly position: number;
  readonly names: ReadonlySet<string>;
}

/** Everything that is wrong with a state directory. layers: what those that are known have in them, by diff id. */
export function checkState(
  root: string,
  layers: ReadonlyMap<string, Files>,
  promises: readonly Acknowledged[],
  position: number,
): string[] {
  const faults = [...checkBlobs(root), ...checkLayers(root, layers)];
  const { images, names } = readRecords(root);
  const here = new Set(names.map(({ reference }) => reference).filter((one) => !one.includes("@")));
  const kept = promises.findLastIndex((promise) => promise.position <= position);
  const last = promises[kept]?.names ?? new Set<string>();
  const next = promises[kept + 1]?.names ?? last;
  // the change that was under way may be there or not
  for (const name of new Set([...last, ...next, ...here])) {
    if (last.has(name) && next.has(name) && !here.has(name)) faults.push(`${name} was acknowledged, and is gone`);
    if (!last.has(name) && !next.has(name) && here.has(name)) faults.push(`${name} is there, and should not be`);
  }
  for (const { reference, image } of names)
    if (!images.some(({ id }) => id === image)) faults.push(`${reference} leads to nothing`);
  for (const { id, manifest, layers: own } of images) {
    for (const digest of [id, manifest.digest, ...own.map((layer) => layer.digest)])
      if (!existsSync(blobPath(root, digest))) faults.push(`image ${id} misses blob ${digest}`);
    for (const { diffId } of own)
      if (!existsSync(layerPath(root, diffId))) faults.push(`image ${id} misses layer ${diffId}`);
  }
  return faults;
}

function readRecords(root: string): { images: ImageRecord[]; names: NameRecord[] } {
  const path = join(root, "orlop.db");
  if (!existsSync(path)) return { images: [], names: [] };
  const database = new Database(path);
  try {
    const known = database.query("SELECT name FROM sqlite_master WHERE name = 'records'").all();
    if (known.length === 0) return { images: [], names: [] };
    const read = <T>(kind: string): T[] =>
      database
        .query<{ record: string }, [string]>("SELECT record FROM records WHERE kind = ?")
        .all(kind)
        .map(({ record }) => JSON.parse(record) as T);
    return { images: read<ImageRecord>("image"), names: read<NameRecord>("tag") };
  } finally {
    database.close();
  }
}

/** A blob that has its name is what the name says; index.json is whole. */
function checkBlobs(root: string): string[] {
  const folder = join(root, "content/blobs/sha256");
  const index = join(root, "content/index.json");
  const faults = existsSync(index) && !isJson(readFileSync(index, "utf8")) ? ["index.json is not whole"] : [];
  const bad = (existsSync(folder) ? readdirSync(folder) : []).filter(
    (name) =>
      createHash("sha256")
        .update(readFileSync(join(folder, name)))
        .digest("hex") !== name,
  );
  return [...faults, ...bad.map((name) => `blob ${name} is damaged`)];
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A layer that has its name has every file, and what is known of it. */
function checkLayers(root: string, layers: ReadonlyMap<string, Files>): string[] {
  const folder = join(root, "layers");
  const there = (existsSync(folder) ? readdirSync(folder) : []).filter((name) => /^[0-9a-f]{64}$/.test(name));
  return there.flatMap((name) => {
    const facts = join(folder, `${name}.json`);
    const lost = existsSync(facts) && isJson(readFileSync(facts, "utf8")) ? [] : [`layer ${name} has no facts`];
    const files = Object.entries(layers.get(`sha256:${name}`) ?? {});
    const bad = files.filter(([path, bytes]) => {
      const whole = join(folder, name, path);
      return !existsSync(whole) || !readFileSync(whole).equals(bytes);
    });
    return [...lost, ...bad.map(([path]) => `layer ${name}: ${path} is damaged`)];
  });
}

function blobPath(root: string, digest: string): string {
  return join(root, "content/blobs/sha256", digest.slice("sha256:".length));
}

function layerPath(root: string, diffId: string): string {
  return join(root, "layers", diffId.slice("sha256:".length));
}
