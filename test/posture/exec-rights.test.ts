/** What a container that may trace processes gets hold of, when an exec comes into it: nothing with more rights than it has itself. */

import { afterAll, beforeAll, expect } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { compileProbe } from "./probe.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay", "gcc"];
const directory = mkdtempSync(join(tmpdir(), "orlop-hunt-"));
const product = new Product(directory, { env: nothingReady });
const rootfs = join(directory, "rootfs");
const waitMs = 20_000;
const setUpMs = 60_000;

beforeAll(async () => {
  makeBusyboxRoot(directory);
  compileProbe("hunt-probe", rootfs);
  await product.ok("info");
}, setUpMs);

afterAll(async () => {
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** It may take many execs until it is quick enough for one. */
const huntMs = 300_000;

/** CapEff, CapBnd and Seccomp of each process that it caught, of two execs with a command and one with a terminal. */
async function catches(flags: readonly string[]): Promise<string[]> {
  const run = ["run", "-d", "--name", "hunter", "--cap-add", "SYS_PTRACE", "--rootfs", rootfs, ...flags];
  await product.ok(...run, "/hunt-probe");
  const caught = async (): Promise<string[]> => (await product.ok("logs", "hunter")).split("\n");
  await waitUntil(async () => (await caught()).includes("hunting"), waitMs, "it hunts");
  try {
    for (const words of [[], ["-u", "worker"], ["-t"]]) {
      const before = (await caught()).length;
      // it is not quick enough for each
      const isCaught = async (): Promise<boolean> => {
        await product.run(["exec", ...words, "hunter", "/bin/true"]);
        return (await caught()).length > before;
      };
      await waitUntil(isCaught, waitMs, "it caught something");
    }
    return (await caught()).filter((line) => line.startsWith("caught ")).map((line) => line.slice("caught ".length));
  } finally {
    await product.ok("rm", "-f", "hunter");
  }
}

/** The same three of the container itself. */
async function own(flags: readonly string[]): Promise<string> {
  const script = "grep -E '^(CapEff|CapBnd|Seccomp):' /proc/self/status | cut -f2 | xargs echo";
  const run = ["run", "--rm", "--cap-add", "SYS_PTRACE", "--rootfs", rootfs, ...flags];
  return await product.ok(...run, "/bin/sh", "-c", script);
}

const masks = (caught: string): bigint[] => caught.split(" ").map((word) => BigInt(`0x${word}`));

for (const flags of [[], ["--security-opt", "seccomp=unconfined"], ["--security-opt", "no-new-privileges"]])
  kernelTest(
    `an exec comes in with the container's rights: ${flags.at(-1) ?? "by default"}`,
    needs,
    async () => {
      const [effective = 0n, bounding = 0n, filter = 0n] = masks(await own(flags));
      for (const caught of await catches(flags)) {
        const [itsEffective = ~0n, itsBounding = ~0n, itsFilter = 0n] = masks(caught);
        expect(caught, `${itsEffective & ~effective}`).toSatisfy(() => (itsEffective & ~effective) === 0n);
        expect(itsBounding).toBe(bounding);
        // with no-new-privileges the filter may come last: without rights there is nothing that it must hold back
        if (!flags.includes("no-new-privileges")) expect(itsFilter).toBe(filter);
      }
    },
    huntMs,
  );

kernelTest(
  "a filter of one's own may forbid that: then it is caught with more",
  needs,
  async () => {
    const profile = join(directory, "profile.json");
    writeFileSync(profile, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [] }));
    const flags = ["--security-opt", `seccomp=${profile}`];
    const [effective = 0n] = masks(await own(flags));
    const caught = await catches(flags);
    expect(caught.some((one) => ((masks(one)[0] ?? 0n) & ~effective) !== 0n)).toBe(true);
    // which no-new-privileges ends
    for (const one of await catches([...flags, "--security-opt", "no-new-privileges"]))
      expect((masks(one)[0] ?? 0n) & ~effective).toBe(0n);
  },
  huntMs,
);
