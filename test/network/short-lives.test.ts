/**
 * Thousands of short containers by eight clients, in the default network, in one of their own and with published ports; afterwards
 * nothing is left of them. `ORLOP_SHORT_LIVES=10000 bun test test/network/short-lives.test.ts` before a release.
 */

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import type { ContainerCreate } from "../../src/client/container-types.ts";
import type { EngineClient } from "../../src/client/engine-client.ts";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { expectNoLeaks, takeSnapshot } from "../leakcheck.ts";
import { Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

const needs: readonly Need[] = ["root", "product", "nft", "busybox"];
const count = Number(process.env["ORLOP_SHORT_LIVES"] ?? 160);
const clients = 8;
/** So many come before the first look: what is made once is there then. */
const warmUps = 80;
/** A heap swings by 30 MiB; a leak of 4 KiB for each of ten thousand is seen. */
const growthMaxKib = { supervisor: 256, netd: 256, engine: 48 * 1024 };
const settleMs = 20_000;

kernelTest(
  `${count} short lives leave nothing`,
  needs,
  async ({ directory, defer }) => {
    const product = new Product(directory);
    defer(() => product.stop());
    await product.ok("ps");
    const { engine } = product;
    await engine.networks.create({ Name: "lan" });
    const rootfs = makeBusyboxRoot(directory);
    const watch = { directory, folders: [product.runDir, product.stateDir] };
    await live(product, rootfs, warmUps);
    const before = await settled(product, watch);

    const begunMs = performance.now();
    await live(product, rootfs, count);
    const seconds = (performance.now() - begunMs) / 1000;

    product.disconnect();
    await expectNoLeaks(before.things, watch, settleMs);
    const after = residents(product);
    console.log(
      `${count} in ${seconds.toFixed(0)} s; KiB before and after: ${JSON.stringify(before.residents)} ${JSON.stringify(after)}`,
    );
    for (const [name, limit] of Object.entries(growthMaxKib))
      expect((after[name] ?? 0) - (before.residents[name] ?? 0), `${name} has grown`).toBeLessThan(limit);
    expect(await product.ok("ps", "-aq")).toBe("");
    await product.engine.networks.remove("lan");
  },
  (60 + count / 5) * 1000,
);

/** Each client takes the next number, of which what the container is follows. */
async function live(product: Product, rootfs: string, lives: number): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      const engine = product.connect();
      for (let number = next++; number < lives; number = next++)
        await liveOnce(engine, configOf(rootfs, number, client));
      engine.close();
    }),
  );
}

function configOf(Rootfs: string, number: number, client: number): ContainerCreate {
  const own = String(20_000 + client);
  const kinds: readonly ContainerCreate["HostConfig"][] = [
    {},
    { NetworkMode: "lan" },
    { PortBindings: { "80/tcp": [{ HostPort: own }], "53/udp": [{}] } },
    { NetworkMode: "lan", PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: own }] } },
  ];
  const AutoRemove = Math.floor(number / kinds.length) % 2 === 0;
  return { Cmd: ["/bin/true"], HostConfig: { Rootfs, AutoRemove, ...kinds[number % kinds.length] } };
}

async function liveOnce({ containers }: EngineClient, config: ContainerCreate): Promise<void> {
  const removes = config.HostConfig?.AutoRemove === true;
  const { Id } = await containers.create(config);
  const wait = await containers.wait(Id, removes ? "removed" : "next-exit");
  await containers.start(Id);
  expect((await wait.exit()).StatusCode).toBe(0);
  if (!removes) await containers.remove(Id);
}

/** When all that is torn down behind the answers is gone. */
async function settled(product: Product, watch: Parameters<typeof takeSnapshot>[0]) {
  product.disconnect();
  await waitUntil(() => product.monitorPids().length === 0, settleMs, "every monitor has ended");
  return { things: takeSnapshot(watch), residents: residents(product) };
}

/** KiB. */
function residents(product: Product): Readonly<Record<string, number>> {
  const pids = { supervisor: product.supervisorPid(), engine: product.enginePid(), netd: product.netdPid() };
  return Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, residentKib(pid ?? 0)]));
}

function residentKib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
