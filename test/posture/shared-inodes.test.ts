/** What a default container has that is not its own alone: nothing of it can be given another mode, owner or time. */

import { expect } from "bun:test";
import { statSync } from "node:fs";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { rootedProduct } from "./rooted-product.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay"];
const { product, rootfs } = rootedProduct(needs);

/** Mounts that are made for this container. */
const own = [
  "/",
  "/dev",
  "/dev/mqueue",
  "/dev/pts",
  "/dev/shm",
  "/etc/hosts",
  "/etc/hostname",
  "/etc/resolv.conf",
  "/proc",
];

/** Each is given the mode that it has: where something shared can be reached, nothing happens to it. */
const changes =
  'for path in $(cut -d" " -f5 /proc/self/mountinfo) /proc/1/exe; do chmod $(stat -Lc %a $path) $path 2>/dev/null && echo $path; done; true';

kernelTest("a default container can change what was mounted for itself, and nothing else", needs, async () => {
  const before = statSync("/dev/null");
  for (const flags of [["--init"], ["--init", "-v", "/dev/null:/dev/given:ro"]]) {
    const output = await product.ok("run", "--rm", ...flags, "--rootfs", rootfs, "/bin/sh", "-c", changes);
    expect(output.split("\n").sort()).toEqual(own.toSorted());
  }
  expect(statSync("/dev/null").mode).toBe(before.mode);
});

kernelTest("what can be changed is seen as such", needs, async () => {
  const flags = ["-v", "/dev/null:/dev/given"];
  const output = await product.ok("run", "--rm", ...flags, "--rootfs", rootfs, "/bin/sh", "-c", changes);
  expect(output.split("\n")).toContain("/dev/given");
});

kernelTest("what is masked takes everything and gives nothing, read-only as its mount is", needs, async () => {
  const script = "echo x > /proc/keys && cat /proc/keys && echo empty";
  expect(await product.ok("run", "--rm", "--rootfs", rootfs, "/bin/sh", "-c", script)).toBe("empty");
});
