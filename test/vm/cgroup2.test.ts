/** Kernel tests on a machine with cgroup v2 alone and another kernel: a virtual machine, made here. */

import { expect } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { testBesideOthers } from "../kernel/harness.ts";
import { makeGuestDisk } from "./guest-disk.ts";
import { fetchGuestKernel } from "./guest-kernel.ts";
import { runGuest } from "./run-guest.ts";

const repository = join(import.meta.dir, "../..");
const cache = join(repository, ".cache/vm");
const timeoutMs = 30 * 60_000;

/** Under software emulation everything takes so many times longer. */
const slowness = 10;

/** What another cgroup version or kernel can change; the load tests would take an hour under emulation. */
const files = [
  "cgroup2",
  "device-program",
  "executor-socket",
  "freeze",
  "host-image",
  "masks",
  "namespaces",
  "out-of-memory",
  "rootfs",
  "start-trace",
  "users",
];
const paths = files.map((name) => `./test/kernel/${name}.test.ts`).join(" ");

const script = `
export NO_COLOR=1 ORLOP_TEST_SLOWNESS=${slowness}
bun test --timeout=600000 --max-concurrency=1 ./test/leakcheck.test.ts ${paths} || exit 1
bun test --timeout=600000 ./test/kernel/steps-file.test.ts -t "is cloned into its v2 group"
`;

testBesideOthers(
  "kernel tests pass on cgroup v2, in a virtual machine",
  ["root", "executor", "qemu", "busybox"],
  async ({ directory }) => {
    mkdirSync(cache, { recursive: true });
    const kernel = fetchGuestKernel(cache);
    const disk = makeGuestDisk(directory, kernel, {
      repository,
      take: ["src", "test", "dist/test", "package.json", "tsconfig.json"],
      programs: ["bun", "nft", "ip", "strace", "unshare", "nsenter"],
      modules: ["overlay", "nf_tables", "bridge"],
      script,
    });
    const { exitCode, output } = await runGuest(kernel, disk, { timeoutMs });
    if (exitCode !== 0) console.log(output);
    expect(exitCode).toBe(0);
    // A need for cgroup v2 is met here; so nothing that asks for it may have been skipped.
    expect(output.split("\n").filter((line) => /^\(skip\).*\bcgroup2\b/.test(line))).toEqual([]);
    expect(Number(/^\s*(\d+) pass$/m.exec(output)?.[1])).toBeGreaterThan(0);
  },
  timeoutMs,
);
