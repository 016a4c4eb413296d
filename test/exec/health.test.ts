/** Health checks, on the real kernel. */

import { afterAll, expect } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerInspection } from "../../src/client/container-types.ts";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { Docker } from "../docker-cli/docker.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay"];
const waitMs = 15_000;

const directory = mkdtempSync(join(tmpdir(), "orlop-health-"));
const rootfs = existsSync("/proc/self") ? makeBusyboxRoot(directory) : "";
const product = new Product(directory, { env: nothingReady });
const docker = new Docker(product);

afterAll(async () => {
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
});

interface Health {
  readonly Status: string;
  readonly FailingStreak: number;
  readonly Log: readonly {
    readonly Start: string;
    readonly End: string;
    readonly ExitCode: number;
    readonly Output: string;
  }[];
}

async function healthOf(name: string): Promise<Health | undefined> {
  const { State } = (await product.engine.containers.inspect(name)) as ContainerInspection & {
    readonly State: { readonly Health?: Health };
  };
  return State.Health;
}

const run = (name: string, ...flags: string[]) =>
  product.ok("run", "-d", "--name", name, "--rootfs", rootfs, ...flags, "sh", "-c", "while :; do sleep 0.05; done");
const becomes = (name: string, status: string) =>
  waitUntil(async () => (await healthOf(name))?.Status === status, waitMs, `${name} is ${status}`);

kernelTest("it is healthy as soon as it is, long before the first interval is over", [...needs, "docker"], async () => {
  await run("slow", "--health-cmd", "cat /tmp/ready && echo is it", "--health-interval", "1h");
  expect(await docker.ok("ps", "--filter", "health=starting", "--format", "{{.Names}} {{.Status}}")).toMatch(
    /^slow Up .*\(health: starting\)$/,
  );
  await waitUntil(async () => ((await healthOf("slow"))?.Log.length ?? 0) > 0, waitMs, "it was probed in vain");
  await product.ok("exec", "slow", "sh", "-c", "echo ready > /tmp/ready");
  await becomes("slow", "healthy");
  const health = await healthOf("slow");
  expect(health?.Log.at(-1)).toMatchObject({ ExitCode: 0, Output: "ready\nis it\n" });
  expect(health?.Log.at(0)).toMatchObject({ ExitCode: 1, Output: expect.stringContaining("No such file") });
  expect(await docker.ok("ps", "--format", "{{.Status}}")).toMatch(/ \(healthy\)$/);
  await product.ok("rm", "-f", "slow");
});

kernelTest("failures in a row make it unhealthy, which is told; the output is cut", needs, async () => {
  const since = String(Math.floor(Date.now() / 1000));
  await run(
    "sick",
    "--health-cmd",
    "yes | head -c 10000; exit 7",
    "--health-interval",
    "200ms",
    "--health-retries",
    "2",
  );
  await becomes("sick", "unhealthy");
  const health = await healthOf("sick");
  expect(health?.FailingStreak).toBeGreaterThanOrEqual(2);
  expect(health?.Log.length).toBeLessThanOrEqual(5);
  expect(health?.Log.at(-1)).toMatchObject({ ExitCode: 7 });
  expect(health?.Log.at(-1)?.Output.length).toBe(4096);
  const until = String(Math.floor(Date.now() / 1000) + 1);
  const { stdout } = await product.run([
    "events",
    "--since",
    since,
    "--until",
    until,
    "--filter",
    "event=health_status",
  ]);
  expect(stdout).toContain("health_status: unhealthy");
  await product.ok("exec", "sick", "sh", "-c", "true");
  await product.ok("rm", "-f", "sick");
});

kernelTest("one that takes too long is ended, and says so", needs, async () => {
  await run(
    "stuck",
    "--health-cmd",
    "sleep 777",
    "--health-timeout",
    "300ms",
    "--health-interval",
    "100ms",
    "--health-retries",
    "1",
  );
  await becomes("stuck", "unhealthy");
  expect((await healthOf("stuck"))?.Log.at(0)).toMatchObject({
    ExitCode: -1,
    Output: "Health check exceeded timeout (300ms)",
  });
  const sleepers = async () =>
    (await product.run(["exec", "stuck", "sh", "-c", "ps -o args | grep -c '^sleep 777'"])).stdout.trim();
  await waitUntil(async () => Number(await sleepers()) <= 1, waitMs, "they do not pile up");
  await product.ok("rm", "-f", "stuck");
});

kernelTest("the next engine knows the health, and goes on", needs, async () => {
  await run("lasting", "--health-cmd", "test ! -e /tmp/ill", "--health-interval", "300ms", "--health-retries", "1");
  await becomes("lasting", "healthy");
  product.killEngine();
  product.disconnect();
  await product.ok("info");
  expect((await healthOf("lasting"))?.Status).toBe("healthy");
  await product.ok("exec", "lasting", "touch", "/tmp/ill");
  await becomes("lasting", "unhealthy");
  await product.ok("rm", "-f", "lasting");
});

kernelTest("none asked for, or taken away: no health; what cannot be is refused", needs, async () => {
  await run("plain", "--no-healthcheck");
  expect(await healthOf("plain")).toBeUndefined();
  expect(
    (await product.run(["create", "--rootfs", rootfs, "--no-healthcheck", "--health-cmd", "x", "true"])).stderr,
  ).toContain("exclude each other");
  await product.ok("rm", "-f", "plain");
});

kernelTest("while it is paused nothing is asked", needs, async () => {
  await run("frozen", "--health-cmd", "true", "--health-interval", "100ms");
  await becomes("frozen", "healthy");
  await product.ok("pause", "frozen");
  const before = await healthOf("frozen");
  // Another one's probes are the clock.
  await run("clock", "--health-cmd", "true", "--health-interval", "100ms");
  await waitUntil(async () => (await healthOf("clock"))?.Log.length === 5, waitMs, "half a second is over");
  await product.ok("rm", "-f", "clock");
  expect((await healthOf("frozen"))?.Log.length).toBeLessThanOrEqual((before?.Log.length ?? 0) + 1); // one was under way
  await product.ok("unpause", "frozen");
  await product.ok("rm", "-f", "frozen");
});
