/**
 * Eight clients at random work, while engine, monitors, netd and supervisor are killed under them, or stand still for a moment.
 * Meanwhile what runs goes on and is reached, and what was written stays. Afterwards every acknowledged change is there, nothing else
 * is, nothing is left behind, and what stays resident has not grown.
 *
 * ORLOP_CHAOS_SECONDS: how long (20; with CI=true 180; an hour before a release). ORLOP_CHAOS_SEED repeats the choices.
 */

import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { tarOfFiles } from "../images/layer-tar.ts";
import { kernelTest } from "../kernel/harness.ts";
import { expectNoLeaks, takeSnapshot } from "../leakcheck.ts";
import { Product } from "../product.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";
import { waitUntil } from "../wait-until.ts";
import { kinds, runClient } from "./clients.ts";
import { removeContested } from "./contested.ts";
import { removeServiceNetworks } from "./kept-services.ts";
import { killNowAndThen } from "./killer.ts";
import type { Promised } from "./model.ts";
import { Random } from "./random.ts";

const seconds = Number(process.env["ORLOP_CHAOS_SECONDS"] ?? (process.env["CI"] === "true" ? 180 : 20));
const seed = Number(process.env["ORLOP_CHAOS_SEED"] ?? Date.now() % 1_000_000);
const clients = 8;
const backMs = 60_000;
const growthMaxKib = 512;

kernelTest(
  `${clients} clients for ${seconds} s, while everything is killed now and then (seed ${seed})`,
  ["root", "product", "busybox", "overlay", "nft"],
  async ({ directory, defer }) => {
    const product = new Product(directory);
    defer(() => product.stop());
    const rootfs = makeBusyboxRoot(directory);
    await makeWhatStays(product, rootfs, directory);
    const registry = await ScriptedRegistry.open();
    defer(() => registry[Symbol.asyncDispose]());
    registry.addImage("1", [tarOfFiles({ a: "b" })]);
    const image = `${registry.host}/chaos:1`;
    await product.ok("pull", "-q", image);
    const watch = { directory, folders: [product.runDir, product.stateDir] };
    product.disconnect();
    const before = takeSnapshot(watch);

    const deadline = Date.now() + seconds * 1000;
    let isBroken = false;
    const counts: Record<string, number> = {};
    const world = {
      ...{ rootfs, image },
      isOver: () => isBroken || Date.now() > deadline,
      count: (what: string) => {
        counts[what] = (counts[what] ?? 0) + 1;
      },
      revive: async () => void (await product.run(["info"])),
    };
    const killing = killNowAndThen(product, new Random(seed), world.isOver);
    const working = Array.from({ length: clients }, async (_, number) => {
      const engine = product.connect();
      const own = await runClient({ ...world, engine, random: new Random(seed + number + 1) }, number);
      engine.close();
      return own;
    });
    for (const client of working)
      client.catch(() => {
        if (!isBroken) tellState(product);
        isBroken = true; // the others end too
      });
    await Promise.allSettled(working);
    console.log(`killed: ${JSON.stringify(await killing)}; answered: ${JSON.stringify(counts)}`);
    const promises = await Promise.all(working);

    // An engine whose supervisor was killed last may still answer, and then makes room for the next.
    const isBack = async () => (await product.run(["info"])).exitCode === 0 && product.enginePid() !== undefined;
    await waitUntil(isBack, backMs, "the engine comes back");
    try {
      for (const name of Object.keys(kinds)) {
        const promised = promises.flatMap((own) => own.get(name) ?? []);
        await checkKept(product, name, promised);
        const last = { ...world, engine: product.engine, random: new Random(seed), isOver: () => false };
        for (const one of promised) if (one.presence === "present") await kinds[name]?.check?.(last, one.name);
      }
      const supervisor = product.supervisorPid() ?? 0;
      const kib = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${supervisor}/status`, "utf8"))?.[1]);
      expect(kib).toBeLessThan(1024 + growthMaxKib);
      await removeAll(product);
      // A supervisor that found an older one's netd watches it by a pidfd; its own is its child. An engine that has had no network
      // to do with would not want another one.
      await product.ok("run", "--rm", "--network", "bridge", "--rootfs", rootfs, "/bin/true");
      const found = product.netdPid();
      if (found !== undefined) {
        process.kill(found, "SIGKILL");
        await waitUntil(() => ![undefined, found].includes(product.netdPid()), backMs, "netd comes back");
      }
      product.disconnect();
      await expectNoLeaks(before, watch, backMs);
    } catch (error) {
      tellState(product);
      throw error;
    }
  },
  (seconds + 300) * 1000,
);

/** The store's writer, mount points: made with the first that needs them. */
async function makeWhatStays(product: Product, rootfs: string, directory: string): Promise<void> {
  await product.ok("run", "--name", "first", "--volume", "first:/volume", "--rootfs", rootfs, "/bin/true");
  await product.ok("cp", "first:/etc/passwd", join(directory, "copied"));
  await product.ok("rm", "first");
  await product.ok("run", "--rm", "--network", "bridge", "--rootfs", rootfs, "/bin/true");
  await product.ok("volume", "rm", "first");
  await product.ok("network", "create", "first");
  await product.ok("run", "--rm", "--network", "first", "--rootfs", rootfs, "/bin/true");
  await product.ok("network", "rm", "first");
}

/** What may explain a broken promise: it is gone a moment later. */
function tellState(product: Product): void {
  console.log(readFileSync(join(product.runDir, "engine.log"), "utf8").split("\n").slice(-60).join("\n"));
  console.log(execFileSync("ps", ["-eo", "pid,ppid,pidns,stat,etimes,wchan:24,args"]).toString());
}

/** What was acknowledged is there, what was removed is not, and nothing is there that nobody made. */
async function checkKept(product: Product, kind: string, promised: readonly Promised[]): Promise<void> {
  const there = new Set(await kinds[kind]?.list(product.engine));
  const named = (presence: string) => promised.filter((one) => one.presence === presence).map(({ name }) => name);
  expect(
    named("present").filter((name) => !there.has(name)),
    `${kind}: acknowledged and lost`,
  ).toEqual([]);
  expect(
    named("absent").filter((name) => there.has(name)),
    `${kind}: removed and there`,
  ).toEqual([]);
}

/** Containers first: they hold the rest. */
async function removeAll(product: Product): Promise<void> {
  for (const kind of Object.values(kinds))
    for (const name of await kind.list(product.engine)) await kind.remove(product, name);
  await removeServiceNetworks(product.engine);
  await removeContested(product.engine);
}
