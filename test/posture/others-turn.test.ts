/** What a client that may only look asks for does not keep the engine from others. */

import { afterAll, beforeAll, expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tarOfFiles } from "../images/layer-tar.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

const needs: readonly Need[] = ["root", "product", "overlay"];
const directory = mkdtempSync(join(tmpdir(), "orlop-patterns-"));
const product = new Product(directory, { env: nothingReady });
const setUpMs = 60_000;
const patienceMs = 5000;
const name = "a".repeat(60);

beforeAll(async () => {
  await product.ok("create", "--name", `${name}.`, "host", "true");
  const stdin = tarOfFiles({ "etc/os-release": "" }) as Uint8Array<ArrayBuffer>;
  expect((await product.run(["import", "-", `${name}:1`], { stdin })).exitCode).toBe(0);
}, setUpMs);

afterAll(async () => {
  product.killEngine(); // it may be at work for hours
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
}, setUpMs);

/** How long they take together with the question of somebody else. */
async function msOf(ask: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  const asked = ask().then(() => product.engine.system.info());
  await Promise.race([asked, Bun.sleep(patienceMs)]);
  return performance.now() - startMs;
}

kernelTest("a regular expression that goes through a name again and again", needs, async () => {
  const patterns = ["(a+)+$", "(a|aa)+b", "(a*)*b"];
  expect(
    await msOf(() => product.run(["ps", "-a", ...patterns.flatMap((text) => ["-f", `name=${text}`])])),
  ).toBeLessThan(patienceMs);
});

kernelTest("a pattern of many stars", needs, async () => {
  const pattern = `${"*a".repeat(20)}b`;
  expect(await msOf(() => product.run(["images", "-f", `reference=${pattern}`]))).toBeLessThan(patienceMs);
});

kernelTest("the processes of a container that has thousands", needs, async () => {
  const script = "i=0; while [ $i -lt 2000 ]; do sleep 1000 & i=$((i+1)); done; echo made; wait";
  const id = await product.ok("run", "-d", "--network", "none", "host", "sh", "-c", script);
  await waitUntil(async () => (await product.ok("logs", id)) === "made", 60_000, "it has made them");
  const order: string[] = [];
  const top = product.engine.containers.top(id, "").then(({ Processes }) => order.push(`${Processes.length} of top`));
  await Bun.sleep(10);
  await product.connect().system.info();
  order.push("info");
  await top;
  expect(order).toEqual(["info", "2001 of top"]);
  await product.ok("rm", "-f", id);
});
