/** An image says where its program starts, and that a directory is made there: never one of the machine's. */

import { afterAll, beforeAll, expect } from "bun:test";
import { existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay"];
const directory = mkdtempSync(join(tmpdir(), "orlop-cwd-"));
const product = new Product(directory, { env: nothingReady });
const rootfs = join(directory, "rootfs");
const setUpMs = 60_000;
/** More than its process has open at any time. */
const descriptors = Array.from({ length: 24 }, (_, at) => at + 3);

beforeAll(async () => {
  makeBusyboxRoot(directory);
  symlinkSync("/tmp", join(rootfs, "link"));
  await product.ok("info");
}, setUpMs);

afterAll(async () => {
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
}, setUpMs);

function startIn(path: string, ...flags: string[]) {
  const words = ["run", "--rm", "--network", "none", "--rootfs", rootfs, "--workdir", path, ...flags];
  return product.run([...words, "/bin/true"]);
}

kernelTest(
  "none of the descriptors that a container's process has on its way leads to the machine",
  needs,
  async () => {
    const made = `${"/..".repeat(20)}${directory}/made/deep`;
    for (const [below, ...flags] of [[""], [made], [made, "--init", "--tty"]])
      for (const fd of descriptors) {
        const { stderr } = await startIn(`/proc/self/fd/${fd}${below}`, ...flags);
        // it may be one of the container's own; what else is refused for leading out was there to be named
        expect(stderr).not.toContain("leads out of the container");
        expect(existsSync(join(directory, "made"))).toBe(false);
      }
  },
  240_000,
);

kernelTest("with the machine's processes in sight no directory is made through their roots", needs, async () => {
  const root = `/proc/${process.pid}/root`;
  const made = await startIn(`${root}${directory}/made/deep`, "--pid", "host");
  expect([made.exitCode, existsSync(join(directory, "made"))]).toEqual([125, false]);
  const there = await startIn(`${root}${directory}`, "--pid", "host");
  expect([there.exitCode, there.stderr]).toEqual([125, expect.stringContaining("leads out of the container")]);
});

kernelTest("one that is missing is made in the container, links followed inside", needs, async () => {
  const words = ["run", "--rm", "--network", "none", "--rootfs", rootfs];
  const pwd = (path: string) => product.ok(...words, "--workdir", path, "/bin/sh", "-c", "pwd -P; stat -c %a:%u .");
  expect(await pwd("/new/deep")).toBe("/new/deep\n755:0");
  expect(await pwd("/link/deep")).toBe("/tmp/deep\n755:0");
});
