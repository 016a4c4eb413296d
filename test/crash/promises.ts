/** What DESIGN promises whatever is killed: the engine comes back, states are true, what was acknowledged holds, nothing leaks. */

import { expect } from "bun:test";
import { existsSync } from "node:fs";
import type { ContainerInspection } from "../../src/client/container-types.ts";
import { canListen } from "../kernel/netd-fixture.ts";
import { expectNoLeaks, type Snapshot, type Watch } from "../leakcheck.ts";
import type { Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { healthOf, heldPort, restartCount, type Told } from "./lives.ts";

/** A lost monitor is noticed within this time. */
const noticeMs = 1000;
/** And this long the engine may take to be there again. */
const backMs = 10_000;

export async function checkPromises(product: Product, told: Told): Promise<void> {
  await waitUntil(async () => (await product.run(["info"])).exitCode === 0, backMs, "the engine comes back");
  const found = await find(product, told);
  if (told.removed) expect(found, "a container whose removal was acknowledged is there").toBeUndefined();
  if (told.id !== undefined && !told.removing && !told.transient) {
    expect(found?.Id, "a container whose creation was acknowledged is not there").toBe(told.id);
  }
  if (found === undefined) return;
  if (told.exitCode !== undefined) expect(found.State.ExitCode).toBe(told.exitCode);
  await waitUntil(() => isTruthful(product, found.Id), noticeMs, `the state of ${told.name} is true`);
  await checkRestarts(product, told, found);
  await checkHealth(product, told, found);
}

/** What was to be started again goes on being so; what was stopped stays stopped. */
async function checkRestarts(product: Product, told: Told, { Id, State }: ContainerInspection): Promise<void> {
  if (told.stopped) expect(State.Status, "it was stopped by hand").toBe("exited");
  if (!told.restarting) return;
  const { containers } = product.engine;
  const count = await restartCount(containers, Id);
  await waitUntil(async () => (await restartCount(containers, Id)) > count, backMs, `${told.name} is started again`);
}

/** What was found before is still known; else it is found now. */
async function checkHealth(product: Product, told: Told, { Id, State, Config }: Checked): Promise<void> {
  if (State.Status !== "running" || Config.Healthcheck === undefined) return;
  const { containers } = product.engine;
  if (told.healthy) expect(await healthOf(containers, Id)).toBe("healthy");
  await waitUntil(async () => (await healthOf(containers, Id)) !== "starting", backMs, `${told.name} is probed`);
}

type Checked = ContainerInspection & { readonly Config: { readonly Healthcheck?: unknown } };

/** Everything that the crash left can be removed, the name is free, and then nothing is left. */
export async function checkAfterwards(product: Product, told: Told, before: Snapshot, watch: Watch): Promise<void> {
  for (const { Id } of await product.engine.containers.list({ all: true })) {
    await product.engine.containers.remove(Id, { force: true });
  }
  expect(await find(product, told)).toBeUndefined();
  expect(await canListen("0.0.0.0", heldPort), "a port is held when its container's removal was answered").toBe(true);
  await product.engine.volumes.prune({ all: ["true"] });
  const netd = product.adoptedNetdPid();
  if (netd !== undefined) process.kill(netd, "SIGKILL"); // the next is its supervisor's own child, as before
  product.disconnect();
  await expectNoLeaks(before, watch);
}

async function find(product: Product, { name }: Told): Promise<ContainerInspection | undefined> {
  const all = await product.engine.containers.list({ all: true });
  const entry = all.find(({ Names }) => Names.includes(`/${name}`));
  return entry === undefined ? undefined : product.engine.containers.inspect(entry.Id);
}

/** Running if and only if its first process exists. A container that vanishes meanwhile says nothing untrue. */
async function isTruthful(product: Product, id: string): Promise<boolean> {
  const listed = (await product.engine.containers.list({ all: true })).some(({ Id }) => Id === id);
  if (!listed) return true;
  const { State } = await product.engine.containers.inspect(id);
  if (State.Status === "restarting") return State.Pid === 0;
  return State.Running ? existsSync(`/proc/${State.Pid}`) : State.Pid === 0;
}
