/**
 * Eight clients at random work, while engine, monitors, netd and supervisor are killed under them. Afterwards every acknowledged
 * change is there, nothing else is, nothing is left behind, and what stays resident has not grown.
 *
 * ORLOP_CHAOS_SECONDS: how long (20; with CI=true 180; an hour before a release). ORLOP_CHAOS_SEED repeats the choices.
 */

import { expect } from "bun:test";
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
import type { Promised } from "./model.ts";
import { Random } from "./random.ts";

const seconds = Number(process.env["ORLOP_CHAOS_SECONDS"] ?? (process.env["CI"] === "true" ? 180 : 20));
const seed = Number(process.env["ORLOP_CHAOS_SEED"] ?? Date.now() % 1_000_000);
const clients = 8;
/** An engine is killed after so long at the least and at the most. */
const enginePauseMs = [200, 5000] as const;
/** Every so many kills of an engine it is a monitor's turn too, or netd's, or the supervisor's. */
const monitorEvery = 3;
const netdEvery = 4;
const supervisorEvery = 10;
const backMs = 20_000;
const growthMaxKib = 512;

kernelTest(
  `${clients} clients for ${seconds} s, while everything is killed now and then (seed ${seed})`,
  ["root", "product", "busybox", "overlay", "nft"],
  async ({ directory, defer }) => {
    const product = new Product(directory);
    defer(() => product.stop());
    const rootfs = makeBusyboxRoot(directory);
    // what is made once and stays is there from now on: the store's writer, mount points
    await product.ok("run", "--name", "first", "--volume", "first:/volume", "--rootfs", rootfs, "/bin/true");
    await product.ok("rm", "first");
    await product.ok("run", "--rm", "--network", "bridge", "--rootfs", rootfs, "/bin/true");
    await product.ok("volume", "rm", "first");
    await product.ok("network", "create", "first");
    await product.ok("run", "--rm", "--network", "first", "--rootfs", rootfs, "/bin/true");
    await product.ok("network", "rm", "first");
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
    const isOver = (): boolean => isBroken || Date.now() > deadline;

    const killing = killNowAndThen(product, new Random(seed), isOver);
    const working = Array.from({ length: clients }, async (_, number) => {
      const engine = product.connect();
      const revive = async (): Promise<void> => void (await product.run(["info"]));
      const own = await runClient(
        { engine, random: new Random(seed + number + 1), rootfs, image, isOver, revive },
        number,
      );
      engine.close();
      return own;
    });
    const broken = (): void => {
      if (!isBroken)
        console.log(readFileSync(join(product.runDir, "engine.log"), "utf8").split("\n").slice(-40).join("\n"));
      isBroken = true; // the others end too
    };
    for (const client of working) client.catch(broken);
    await Promise.allSettled(working);
    const killed = await killing;
    const promises = await Promise.all(working);
    console.log(`killed: ${JSON.stringify(killed)}`);

    // An engine whose supervisor was killed last may still answer, and then makes room for the next.
    const isBack = async () => (await product.run(["info"])).exitCode === 0 && product.enginePid() !== undefined;
    await waitUntil(isBack, backMs, "the engine comes back");
    for (const kind of Object.keys(kinds))
      await checkKept(
        product,
        kind,
        promises.flatMap((own) => own.get(kind) ?? []),
      );
    const supervisor = product.supervisorPid() ?? 0;
    const kib = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${supervisor}/status`, "utf8"))?.[1]);
    expect(kib).toBeLessThan(1024 + growthMaxKib);
    await removeAll(product);
    // A supervisor that found an older one's netd watches it by a pidfd; its own is its child.
    const found = product.netdPid();
    if (found !== undefined) {
      process.kill(found, "SIGKILL");
      await waitUntil(() => ![undefined, found].includes(product.netdPid()), backMs, "netd comes back");
    }
    product.disconnect();
    await expectNoLeaks(before, watch, backMs);
  },
  (seconds + 120) * 1000,
);

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
}

async function killNowAndThen(product: Product, random: Random, isOver: () => boolean) {
  const killed = { engines: 0, monitors: 0, netds: 0, supervisors: 0 };
  const kill = (pid: number | undefined): number => {
    if (pid === undefined) return 0;
    try {
      process.kill(pid, "SIGKILL");
      return 1;
    } catch {
      return 0; // it has ended by itself
    }
  };
  for (let turn = 1; ; turn++) {
    await Bun.sleep(random.between(...enginePauseMs));
    if (isOver()) return killed;
    if (turn % monitorEvery === 0) killed.monitors += kill(random.pick([undefined, ...product.monitorPids()]));
    if (turn % netdEvery === 0) killed.netds += kill(product.netdPid());
    if (turn % supervisorEvery === 0) killed.supervisors += kill(product.supervisorPid());
    killed.engines += kill(product.enginePid());
  }
}
