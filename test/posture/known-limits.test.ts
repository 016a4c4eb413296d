/** What docs/security.md says that a default container can do to others: it can, or the document is to be changed. */

import { afterAll, beforeAll, expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { compileProbe } from "./probe.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay", "gcc"];
const directory = mkdtempSync(join(tmpdir(), "orlop-limits-"));
const product = new Product(directory, { env: nothingReady });
const rootfs = join(directory, "rootfs");
const setUpMs = 60_000;

beforeAll(async () => {
  makeBusyboxRoot(directory);
  compileProbe("escape-probe", rootfs);
  await product.ok("info");
}, setUpMs);

afterAll(async () => {
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
}, setUpMs);

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
