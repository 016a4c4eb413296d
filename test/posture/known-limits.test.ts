/** What docs/security.md says that a default container can do to others: it can, or the document is to be changed. */

import { expect } from "bun:test";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { rootedProduct } from "./rooted-product.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay", "gcc"];
const { product, rootfs } = rootedProduct(needs, ["escape-probe"]);

async function isOut(script: string, ...flags: string[]): Promise<boolean> {
  const { stdout } = await product.run([
    "run",
    "--rm",
    "--network",
    "none",
    "--rootfs",
    rootfs,
    ...flags,
    "/bin/sh",
    "-c",
    script,
  ]);
  return stdout.split("\n").includes("out");
}

kernelTest("modes of files in /proc can be changed, by root alone", needs, async () => {
  const script = "chmod $(stat -c %a /proc/uptime) /proc/uptime && echo out"; // to what it is
  expect(await isOut(script)).toBe(true);
  expect(await isOut(script, "--user", "1000")).toBe(false);
});

kernelTest("a 32-bit program gets any socket family", needs, async () => {
  expect(await isOut("/escape-probe vsock32")).toBe(true);
  expect(await isOut("/escape-probe vsock")).toBe(false);
});
