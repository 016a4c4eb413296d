/** One supervisor and engine for all crash tests, with a file to arm step points in; a broken one is replaced. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { expectNoLeaks, type Snapshot, takeSnapshot, type Watch } from "../leakcheck.ts";
import { Product, testOrlopPath } from "../product.ts";
import { live, lives, type Told } from "./lives.ts";
import { PointFile } from "./point-file.ts";

export interface Rig {
  readonly product: Product;
  readonly points: PointFile;
  readonly rootfs: string;
  readonly watch: Watch;
  /** Engine up, no container. */
  readonly before: Snapshot;
}

let opened: Rig | undefined;
let containers = 0;

export async function openRig(): Promise<Rig> {
  opened ??= await makeRig();
  return opened;
}

/** Ends it, and says what it left behind. */
export async function closeRig(): Promise<void> {
  if (opened === undefined) return;
  const { product, watch, points } = opened;
  opened = undefined;
  points.disarm();
  try {
    await product.stop();
    const here = new Map(
      [...takeSnapshot(watch)].filter(([thing]) => !/^(process|descriptor|namespace): /.test(thing)),
    );
    await expectNoLeaks(here, watch);
  } finally {
    for (const pid of product.pids()) process.kill(pid, "SIGKILL");
    points[Symbol.dispose]();
    rmSync(watch.directory, { recursive: true, force: true });
  }
}

/** A name that no container had, and nothing acknowledged yet. */
export function nothingTold(lifeName: string): Told {
  const transient = lives[lifeName]?.config("").HostConfig?.AutoRemove === true;
  return { name: `crash-${++containers}`, transient };
}

/** Which life reaches which points first, seen by living each once. */
export async function coverPoints(): Promise<ReadonlyMap<string, string>> {
  const covered = new Map<string, string>();
  for (const [name, life] of Object.entries(lives)) {
    const { product, points, rootfs, before, watch } = await openRig();
    points.forget();
    await live(product, life, rootfs, nothingTold(name));
    for (const { Id } of await product.engine.containers.list({ all: true })) {
      await product.engine.containers.remove(Id, { force: true });
    }
    // One by one: pruning measures them, which no life does.
    for (const { Name } of await product.engine.volumes.list()) await product.engine.volumes.remove(Name);
    product.disconnect();
    await expectNoLeaks(before, watch); // what goes on behind the answers has ended too
    for (const point of points.reached()) if (!covered.has(point)) covered.set(point, name);
  }
  return covered;
}

async function makeRig(): Promise<Rig> {
  const directory = mkdtempSync(join(tmpdir(), "orlop-crash-"));
  const points = new PointFile(join(directory, "points"));
  // Each life waits until nothing is left. Of a start that was made ready that is when it is taken back: soon enough after a second.
  const env = { ORLOP_POINT_FILE: points.path, ORLOP_SEEDED_FAULT: "crash.impatient" };
  const product = new Product(directory, { program: testOrlopPath, env });
  const rootfs = makeBusyboxRoot(directory);
  // Folders that stay are made by the first container that needs them.
  for (const name of ["durable", "--rm on the host image", "with volumes", "in a network, with a port"]) {
    const warmUp = lives[name];
    if (warmUp !== undefined) await live(product, warmUp, rootfs, nothingTold(name));
  }
  await product.engine.volumes.prune({ all: ["true"] });
  const watch = { directory, folders: [product.runDir, product.stateDir] };
  product.disconnect();
  return { product, points, rootfs, watch, before: await snapshotOfIdle(watch) };
}

/** Folders of the last container go in the background: the snapshot is taken when two looks agree. */
async function snapshotOfIdle(watch: Watch): Promise<Snapshot> {
  let last: Snapshot = new Map();
  for (;;) {
    const now = takeSnapshot(watch);
    if (now.size === last.size && [...now].every(([thing, count]) => last.get(thing) === count)) return now;
    last = now;
    await Bun.sleep(100);
  }
}
