/**
 * Power loss: what an engine does to its disk is recorded below the file system, and replayed up to any moment, with any part
 * of what was not flushed left out. In every such state what was acknowledged is there, whole, and nothing is there by half.
 *
 * ORLOP_POWER_STATES: how many states (40; 1000 before a release). ORLOP_POWER_SEED repeats the choices.
 */

import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ImageRecord, NameRecord } from "../../src/engine/images/image-record.ts";
import { Random } from "../chaos/random.ts";
import { tarOfFiles } from "../images/layer-tar.ts";
import { kernelTest } from "../kernel/harness.ts";
import { Product } from "../product.ts";
import { randomBytes } from "../registry/pulling.ts";
import { digestOf, ScriptedRegistry } from "../registry/scripted-registry.ts";
import { RecordedDisk } from "./recorded-disk.ts";

const states = Number(process.env["ORLOP_POWER_STATES"] ?? 40);
const seed = Number(process.env["ORLOP_POWER_SEED"] ?? Date.now() % 1_000_000);
const diskBytes = 48 << 20;

type Files = Readonly<Record<string, Buffer>>;

/** What was acknowledged at that place of the record: these names, and no others. */
interface Acknowledged {
  readonly position: number;
  readonly names: ReadonlySet<string>;
}

kernelTest(
  `${states} states that a power loss could leave (seed ${seed})`,
  ["root", "product", "gcc"],
  async (scratch) => {
    const state = join(scratch.directory, "state");
    const disk = await RecordedDisk.open(join(scratch.directory, "disk"), state, diskBytes);
    const layers = new Map<string, Files>();
    const promises = await work(scratch.directory, disk, layers);
    await disk.close();
    const recording = disk.read();
    const random = new Random(seed);
    const mountPoint = join(scratch.directory, "replayed");
    mkdirSync(mountPoint);
    const violations: string[] = [];
    for (let i = 0; i < states; i++) {
      const at = Math.floor(random.next() * recording.length);
      const share = random.pick([0, 0.1, 0.5, 0.9, 1]);
      const { disk: bytes, position } = recording.stateAt(at, () => random.next() < share);
      const image = join(scratch.directory, "image");
      writeFileSync(image, bytes);
      execFileSync("mount", ["-o", "loop", image, mountPoint]);
      try {
        const faults = check(mountPoint, layers, promises, position);
        violations.push(...faults.map((fault) => `entry ${at}, ${share}: ${fault}`));
      } finally {
        execFileSync("umount", [mountPoint]);
      }
    }
    expect(violations).toEqual([]);
  },
  120_000 + states * 2000,
);

/** Pulls, names and removes images; what was acknowledged, and when. */
async function work(directory: string, disk: RecordedDisk, layers: Map<string, Files>): Promise<Acknowledged[]> {
  const product = new Product(directory);
  const registry = await ScriptedRegistry.open();
  const names = new Set<string>();
  const promises: Acknowledged[] = [];
  const name = (tag: string) => `${registry.host}/a:${tag}`;
  const made = [1, 2, 3, 4].map((i) => {
    const files = Object.fromEntries(
      Array.from({ length: 12 }, (_, n) => [`d${n % 3}/f${n}`, randomBytes(n === 0 ? 600_000 : 3000 * n, i * 100 + n)]),
    );
    const tar = tarOfFiles(files);
    layers.set(digestOf(tar), files);
    return tar;
  }) as [Buffer, Buffer, Buffer, Buffer];
  const [a, b, c, d] = made;
  registry.addImage("1", [a, b]);
  registry.addImage("2", [a, c]);
  registry.addImage("3", [d]);
  const step = async (words: string[], add: string[], remove: string[] = []): Promise<void> => {
    await product.ok(...words);
    for (const one of add) names.add(one);
    for (const one of remove) names.delete(one);
    promises.push({ position: disk.position, names: new Set(names) });
  };
  try {
    await step(["pull", "-q", name("1")], [name("1")]);
    await step(["pull", "-q", name("2")], [name("2")]);
    await step(["tag", name("2"), "local/other:x"], ["docker.io/local/other:x"]);
    await step(["rmi", name("1")], [], [name("1")]);
    await step(["pull", "-q", name("3")], [name("3")]);
    await step(["pull", "-q", name("1")], [name("1")]);
    await step(["rmi", "local/other:x"], [], ["docker.io/local/other:x"]);
    await step(["rmi", name("3")], [], [name("3")]);
  } finally {
    await product.stop();
    await registry[Symbol.asyncDispose]();
  }
  return promises;
}

/** Everything that is wrong with a replayed disk. */
function check(
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
