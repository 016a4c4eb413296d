/** What an image or a container can make large, and the engine reads or keeps: its memory stays within bounds. */

import { expect } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { waitUntil } from "../wait-until.ts";
import { rootedProduct } from "./rooted-product.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay"];
const { product, rootfs } = rootedProduct(needs);
const fileBytes = 10 * 1024 * 1024;
/** An engine that has read ten megabytes twice has a third of this. */
const memoryMaxKib = 900 * 1024;

/** The most that the engine ever had. */
function engineMemoryKib(): number {
  const status = readFileSync(`/proc/${product.enginePid()}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]);
}

for (const [what, line] of [
  ["entries that nobody means", "a::1:\n"],
  ["lines of two bytes", "a\n"],
  ["one line of colons", ":"],
  ["members of a group", "x,"],
] as const)
  kernelTest(`accounts of ten megabytes: ${what}`, needs, async () => {
    const content = `root:x:0:0::/:\ng:x:5:${line.repeat(fileBytes / line.length - 20)}`.slice(0, fileBytes - 1);
    for (const name of ["passwd", "group"]) writeFileSync(join(rootfs, "etc", name), content);
    const words = ["run", "--rm", "--network", "none", "--rootfs", rootfs, "--user", "root"];
    expect(await product.ok(...words, "/bin/sh", "-c", "id -u")).toBe("0");
    expect(engineMemoryKib()).toBeLessThan(memoryMaxKib);
    for (const name of ["passwd", "group"]) rmSync(join(rootfs, "etc", name));
  });

kernelTest("a health check that says a gigabyte", needs, async () => {
  const command = "head -c 1300000000 /dev/zero; echo more >&2; exit 3";
  const flags = ["--health-cmd", command, "--health-interval", "1h", "--health-timeout", "10m", "--network", "none"];
  const id = await product.ok("run", "-d", ...flags, "--rootfs", rootfs, "/bin/sleep", "1000");
  const probes = async (): Promise<readonly unknown[]> => {
    const { State } = (await product.engine.containers.inspect(id)) as { State: { Health?: { Log: unknown[] } } };
    return State.Health?.Log ?? [];
  };
  await waitUntil(async () => (await probes()).length > 0, 100_000, "it has been probed");
  expect((await probes())[0]).toMatchObject({ ExitCode: 3, Output: "\0".repeat(4096) });
  expect(engineMemoryKib()).toBeLessThan(memoryMaxKib);
  await product.ok("rm", "-f", id);
});

kernelTest("changes whose paths are hundreds of megabytes", needs, async () => {
  const deep = `i=0; while [ $i -lt 16 ]; do mkdir ${"d".repeat(250)}; cd ${"d".repeat(250)}; i=$((i+1)); done`;
  const script = `cd /tmp; ${deep}; seq 1 60000 | xargs touch; echo made; sleep 1000`;
  const id = await product.ok("run", "-d", "--network", "none", "--rootfs", rootfs, "/bin/sh", "-c", script);
  await waitUntil(async () => (await product.ok("logs", id)) === "made", 60_000, "it has made its files");
  const { exitCode, stderr } = await product.run(["diff", id]);
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining("bytes altogether")]);
  expect(engineMemoryKib()).toBeLessThan(memoryMaxKib);
  await product.ok("rm", "-f", id);
});

kernelTest("thousands of labels, and many events that tell of them", needs, async () => {
  const labels = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`label-${at}`, ""]));
  const body = { Image: "", Cmd: ["/bin/sleep", "1000"], Labels: labels, HostConfig: { Rootfs: rootfs } };
  const { Id } = await product.engine.containers.create(body);
  await product.ok("start", Id);
  for (let i = 0; i < 2000; i++) await product.engine.containers.top(Id, "");
  expect(engineMemoryKib()).toBeLessThan(memoryMaxKib);
  await product.ok("rm", "-f", Id);
});
