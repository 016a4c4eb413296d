/**
 * Power loss: what an engine does to its disk is recorded below the file system, and replayed up to any moment, with any part
 * of what was not flushed left out. In every such state what was acknowledged is there, whole, and nothing is there by half.
 *
 * ORLOP_POWER_STATES: how many states (40; 1000 before a release). ORLOP_POWER_SEED repeats the choices.
 */

import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../chaos/random.ts";
import { tarOfFiles } from "../images/layer-tar.ts";
import { kernelTest } from "../kernel/harness.ts";
import { Product } from "../product.ts";
import { randomBytes } from "../registry/pulling.ts";
import { digestOf, ScriptedRegistry } from "../registry/scripted-registry.ts";
import { type Acknowledged, checkState, type Files } from "./check-state.ts";
import { RecordedDisk } from "./recorded-disk.ts";

const states = Number(process.env["ORLOP_POWER_STATES"] ?? 40);
const seed = Number(process.env["ORLOP_POWER_SEED"] ?? Date.now() % 1_000_000);
const diskBytes = 48 << 20;

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
        const faults = checkState(mountPoint, layers, promises, position);
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
