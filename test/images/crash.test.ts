/** The engine, or an unpacking task, is killed at each step point of a pull: the next pull goes on where it stopped. */

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PointFile } from "../crash/point-file.ts";
import { Product, testOrlopPath } from "../product.ts";
import { randomBytes } from "../registry/pulling.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";
import { waitUntil } from "../wait-until.ts";
import { busyboxLayer, tarOfFiles } from "./layer-tar.ts";

/** What a killed engine may cost: the figure. */
const againMax = 8 << 20;

const enginePoints = [
  "pull.resolved",
  "blob.received",
  "blob.synced",
  "blob.renamed",
  "layer.filled",
  "layer.facts",
  "layer.renamed",
  "pull.layers",
  "images.add.whole",
  "images.change.begun",
  "images.change.synced",
  "images.change.recorded",
  "layout.written",
  "images.change.indexed",
];
/** The third blob is the large layer: the first is the configuration. A new store writes its layout with two files. */
const nths: Readonly<Record<string, number>> = { blob: 3, layout: 3 };
const taskPoints = [
  "step.layer",
  "step.shared-memory",
  "step.layer-directory",
  "step.layer-file",
  "step.layer-shared-data",
  "step.taken",
  "step.layer-end",
];

let directory: string;
let points: PointFile;
let product: Product;
let registry: ScriptedRegistry;
let base: Buffer;
let count = 0;

beforeAll(async () => {
  registry = await ScriptedRegistry.open();
  base = busyboxLayer();
});
afterAll(() => registry[Symbol.asyncDispose]());

// each with a supervisor of its own: one whose engines die young waits longer and longer
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "orlop-pull-crash-"));
  points = new PointFile(join(directory, "points"));
  product = new Product(directory, { program: testOrlopPath, env: { ORLOP_POINT_FILE: points.path } });
  await product.ok("ps");
});
afterEach(async () => {
  points.disarm();
  await product.stop();
  points[Symbol.dispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** An image that is new to the engine: busybox's layer, and 12 MB. */
function addImage(): { name: string; digest: string; layers: readonly string[] } {
  const tag = `t${++count}`;
  const { layers } = registry.addImage(tag, [base, tarOfFiles({ data: randomBytes(12_000_000, count), tag })]);
  return { name: `${registry.host}/a:${tag}`, digest: layers[1] ?? "", layers };
}

/** Bytes of these blobs that have not come yet. */
function missingOf(digests: readonly string[]): number {
  return digests.reduce((sum, digest) => {
    const hex = digest.slice("sha256:".length);
    const places = ["blobs/sha256", "ingest"].map((folder) => join(product.stateDir, "content", folder, hex));
    const come = places.map((path) => Bun.file(path).size);
    return sum + (registry.blobs.get(digest)?.length ?? 0) - Math.max(...come);
  }, 0);
}

/** Bytes of blobs that the registry was asked for since then. */
function bytesSince(mark: number): number {
  return registry.requests.slice(mark).reduce((sum, { path, headers }) => {
    const blob = registry.blobs.get(/\/blobs\/(.*)$/.exec(path)?.[1] ?? "");
    return sum + (blob === undefined ? 0 : blob.length - Number(/=(\d+)/.exec(headers.range ?? "")?.[1] ?? 0));
  }, 0);
}

/** The image is whole, runs, and nothing else is left once it is removed. */
async function expectWhole(name: string): Promise<void> {
  expect(await product.ok("run", "--rm", name, "sh", "-c", "cat /tag; wc -c </data")).toBe(
    `${name.split(":").at(-1)}12000000`,
  );
  await product.ok("rmi", name);
  await product.ok("image", "prune", "-af");
  expect(readdirSync(join(product.stateDir, "content/blobs/sha256"))).toEqual([]);
  expect(readdirSync(join(product.stateDir, "content/ingest"))).toEqual([]);
  expect(readdirSync(join(product.stateDir, "layers")).sort()).toEqual(["bottom", "new", "nothing"]);
  expect(readdirSync(join(product.stateDir, "layers/new"))).toEqual([]);
}

test.each(enginePoints)("the engine is killed at %s", async (point) => {
  const { name } = addImage();
  points.arm(point, "kill", nths[point.split(".")[0] ?? ""] ?? 1);
  const first = await product.run(["pull", name]);
  expect([points.hasActed, first.exitCode]).toEqual([true, 1]);
  points.disarm();
  const mark = registry.requests.length;
  await product.ok("pull", name);
  // before the first blob there is nothing to go on with
  if (point !== "pull.resolved") expect(bytesSince(mark)).toBeLessThanOrEqual(againMax);
  await expectWhole(name);
});

test.each(enginePoints.filter((point) => point.startsWith("images.")))(
  "the engine is killed at %s as a second platform comes: the first is what it was, and the next pull brings the other",
  async (point) => {
    const tag = `many${++count}`;
    const [near, far] = ["amd64", "arm64"].map((architecture, i) => {
      const layer = tarOfFiles({ data: randomBytes(12_000_000, 100 + 2 * count + i), tag });
      return registry.addImage(`${tag}-${architecture}`, [base, layer], {}, architecture);
    });
    if (near === undefined || far === undefined) throw new Error("two were made");
    registry.addIndex(tag, [far, "arm64"], [near, "amd64"]);
    const name = `${registry.host}/a:${tag}`;
    const idFor = async (platform: string): Promise<string> =>
      JSON.parse(await product.ok("image", "inspect", "-f", "json", "--platform", platform, name)).Id;
    await product.ok("pull", name);
    points.arm(point, "kill");
    const cut = await product.run(["pull", "--platform", "linux/arm64", name]);
    expect([points.hasActed, cut.exitCode]).toEqual([true, 1]);
    points.disarm();
    expect(await idFor("linux/amd64")).toBe(near.config);
    await product.ok("pull", "--platform", "linux/arm64", name);
    expect(await idFor("linux/arm64")).toBe(far.config);
    expect(await product.ok("system", "check")).toContain(", 0 damaged");
    await expectWhole(name);
  },
);

test.each(taskPoints)("a task is killed at %s", async (point) => {
  const { name, layers } = addImage();
  points.arm(point, "kill");
  const first = await product.run(["pull", name]);
  points.disarm();
  expect([first.exitCode, first.stderr]).toEqual([1, expect.stringContaining("the executor ended the conversation")]);
  const mark = registry.requests.length;
  const missing = missingOf(layers);
  await product.ok("pull", name);
  expect(bytesSince(mark) - missing).toBeLessThanOrEqual(againMax);
  await expectWhole(name);
});

test("the task that waits for the disk is killed: the pull does without it", async () => {
  const { name } = addImage();
  points.arm("step.write-back", "kill");
  await product.ok("pull", name);
  expect(points.hasActed).toBe(true);
  await expectWhole(name);
});

test("in the middle of a download: not more than 8 MiB come again", async () => {
  const { name, digest } = addImage();
  const blob = registry.blobs.get(digest) as Buffer;
  let isHeld = true;
  registry.script(new RegExp(`^GET .*/blobs/${digest}$`), (_request, response) => {
    if (!isHeld) return false;
    response.writeHead(200, { "content-length": blob.length });
    response.write(blob.subarray(0, 10_000_000)); // and then silence
    return true;
  });
  const pulling = product.run(["pull", name]);
  const ingest = join(product.stateDir, "content/ingest", digest.slice("sha256:".length));
  await waitUntil(() => Bun.file(ingest).size >= 9_900_000, 5000, "most of the layer");
  product.killEngine();
  expect((await pulling).exitCode).toBe(1);
  isHeld = false;
  const mark = registry.requests.length;
  await product.ok("pull", name);
  expect(bytesSince(mark)).toBeLessThanOrEqual(againMax);
  await expectWhole(name);
});
