/** What a container's frames make the machine remember has a bound, and who is in the network still reaches each other. */

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { release } from "node:os";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { rootedProduct } from "./rooted-product.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay", "gcc", "nft"];
const { product, rootfs } = rootedProduct(needs, ["flood-probe"]);
/** struct __fdb_entry */
const entryBytes = 16;
const learnedMax = 8192;
const frames = 3 * learnedMax;

/** Linux 6.7 is the first that can be told. */
function hasBound(): boolean {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  return major > 6 || (major === 6 && minor >= 7);
}

kernelTest("a bridge learns of so many hardware addresses", needs, async () => {
  await product.ok("network", "create", "flooded");
  const [{ Id }] = JSON.parse(await product.ok("network", "inspect", "flooded")) as [{ Id: string }];
  const run = ["run", "-d", "--network", "flooded", "--rootfs", rootfs];
  for (const name of ["flooder", "other"]) await product.ok(...run, "--name", name, "/bin/sleep", "1000");
  expect(await product.ok("exec", "flooder", "/flood-probe", String(frames))).toBe(String(frames));
  const bridge = readFileSync("/proc/net/dev", "utf8").match(new RegExp(`\\S+-${Id.slice(0, 8)}`))?.[0];
  const known = readFileSync(`/sys/class/net/${bridge}/brforward`).length / entryBytes;
  expect(known).toBeGreaterThanOrEqual(learnedMax / 2);
  if (hasBound()) expect(known).toBeLessThan(learnedMax + 100);
  expect(await product.ok("exec", "flooder", "ping", "-c", "1", "-W", "5", "other")).toContain("1 packets received");
  await product.ok("rm", "-f", "flooder", "other");
  await product.ok("network", "rm", "flooded");
});
