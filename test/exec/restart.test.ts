/** Restart policies: over ends, over the engine's death, over a stop of the machine. */

import { afterAll, expect } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerInspection } from "../../src/client/container-types.ts";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { PointFile } from "../crash/point-file.ts";
import { Docker } from "../docker-cli/docker.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { isGone } from "../kernel/monitor-fixture.ts";
import { monitorOf, Product, testOrlopPath } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay"];
const waitMs = 15_000;

const directory = mkdtempSync(join(tmpdir(), "orlop-restart-"));
const rootfs = existsSync("/proc/self") ? makeBusyboxRoot(directory) : "";
const points = new PointFile(join(directory, "points"));
const product = new Product(directory, { program: testOrlopPath, env: { ORLOP_POINT_FILE: points.path } });
const docker = new Docker(product);

afterAll(async () => {
  points.disarm();
  await product.stop();
  points[Symbol.dispose]();
  rmSync(directory, { recursive: true, force: true });
});

type Inspection = ContainerInspection & {
  readonly RestartCount: number;
  readonly State: { readonly Restarting: boolean; readonly Error: string };
};

const inspect = async (name: string) => (await product.engine.containers.inspect(name)) as Inspection;
const start = (name: string, policy: string, script: string) =>
  product.ok("run", "-d", "--name", name, "--restart", policy, "--rootfs", rootfs, "sh", "-c", script);
const becomes = (name: string, status: string) =>
  waitUntil(async () => (await inspect(name)).State.Status === status, waitMs, `${name} is ${status}`);

async function loseEngine(): Promise<void> {
  product.killEngine();
  product.disconnect();
  await product.ok("info");
}

kernelTest("on-failure tries so many times, says why meanwhile, and then stays", needs, async () => {
  await start("failing", "on-failure:5", "echo run; exit 3");
  await waitUntil(async () => (await inspect("failing")).State.Restarting, waitMs, "it is restarting");
  await becomes("failing", "exited");
  await waitUntil(async () => (await inspect("failing")).RestartCount === 5, waitMs, "all were tried");
  await becomes("failing", "exited");
  expect(await inspect("failing")).toMatchObject({
    RestartCount: 5,
    State: { ExitCode: 3, Restarting: false, Error: "" },
  });
  expect(await product.ok("logs", "failing")).toBe(Array.from({ length: 6 }, () => "run").join("\n"));
  await product.ok("rm", "failing");
});

kernelTest("a success ends on-failure", needs, async () => {
  await start("succeeding", "on-failure", "exit 0");
  await becomes("succeeding", "exited");
  expect((await inspect("succeeding")).RestartCount).toBe(0);
  await product.ok("rm", "succeeding");
});

kernelTest(
  "while it is restarting it is shown so, takes no exec and no rm, and a stop ends it",
  [...needs, "docker"],
  async () => {
    await start("again", "always", "exit 5");
    await waitUntil(async () => (await inspect("again")).RestartCount >= 5, waitMs, "the delay has grown to seconds");
    await becomes("again", "restarting");
    expect((await inspect("again")).State.Error).toMatch(
      /^it exited with 5; restart \d+ by its policy always, after \d+ ms$/,
    );
    expect(await docker.ok("ps", "--filter", "status=restarting", "--format", "{{.Status}}")).toMatch(
      /^Restarting \(5\) /,
    );
    expect((await product.run(["exec", "again", "true"])).stderr).toContain(
      "is restarting, wait until the container is running",
    );
    expect((await product.run(["rm", "again"])).stderr).toContain(
      "container is restarting: stop the container before removing",
    );
    await product.ok("stop", "again");
    expect((await inspect("again")).State.Status).toBe("exited");
    await product.ok("start", "again");
    await waitUntil(async () => (await inspect("again")).RestartCount >= 1, waitMs, "by hand it begins anew");
    await product.ok("rm", "-f", "again");
  },
);

kernelTest("a stop by hand holds over engines, a kill too", needs, async () => {
  for (const [name, ...words] of [
    ["halted", "stop", "-t", "0"],
    ["killed", "kill"],
  ] as const) {
    await start(name, "always", "while :; do sleep 0.02; done");
    await product.ok(...words, name);
    await becomes(name, "exited");
    await loseEngine();
    expect((await inspect(name)).State.Status).toBe("exited");
    await product.ok("rm", name);
  }
});

kernelTest("what ends while the engine is dead starts again; what was waiting goes on", needs, async () => {
  await start("unseen", "always", "sleep 0.5; echo run");
  await start("waiting", "always", "exit 1");
  await waitUntil(async () => (await inspect("waiting")).RestartCount >= 3, waitMs, "it waits");
  const supervisor = product.supervisorPid() ?? 0;
  product.killEngine();
  product.disconnect();
  expect(supervisor).toBeGreaterThan(0);
  await waitUntil(() => product.enginePid() !== undefined, waitMs, "nobody asked, and an engine is there");
  await waitUntil(async () => (await inspect("unseen")).RestartCount >= 1, waitMs, "it starts again");
  const { RestartCount } = await inspect("waiting");
  await waitUntil(async () => (await inspect("waiting")).RestartCount > RestartCount, waitMs, "it goes on");
  await product.ok("rm", "-f", "unseen", "waiting");
});

kernelTest("what was waiting goes on after its supervisor's death too, with nobody who asks", needs, async () => {
  await start("waiting", "always", "exit 1");
  await waitUntil(async () => (await inspect("waiting")).RestartCount >= 4, waitMs, "its delay has grown");
  await becomes("waiting", "restarting");
  const { RestartCount } = await inspect("waiting");
  const supervisor = product.supervisorPid() ?? expect.unreachable("no supervisor runs");
  process.kill(supervisor, "SIGKILL");
  product.disconnect();
  const isBack = () => product.enginePid() !== undefined && product.supervisorPid() !== supervisor;
  await waitUntil(isBack, waitMs, "nobody asked, and an engine is there");
  await waitUntil(async () => (await inspect("waiting")).RestartCount > RestartCount, waitMs, "it goes on");
  await product.ok("rm", "-f", "waiting");
});

kernelTest("monitor and supervisor killed together: it has ended when its processes have", needs, async () => {
  await start("both", "no", "sleep 1000");
  const { Pid } = (await inspect("both")).State;
  const supervisor = product.supervisorPid() ?? expect.unreachable("no supervisor runs");
  process.kill(supervisor, "SIGKILL");
  process.kill(monitorOf(Pid), "SIGKILL");
  product.disconnect();
  await product.ok("ps");
  await becomes("both", "exited");
  expect(isGone(Pid)).toBe(true);
  expect((await inspect("both")).State).toMatchObject({ ExitCode: 137, Error: expect.stringContaining("monitor") });
  await product.ok("rm", "both");
});

kernelTest("a start that fails ends the restarting, and says why", needs, async () => {
  const gone = join(directory, "gone");
  writeFileSync(gone, "");
  await product.ok(
    "run",
    "-d",
    "--name",
    "broken",
    "--restart",
    "always",
    "--mount",
    `type=bind,source=${gone},target=/tmp/f`,
    "--rootfs",
    rootfs,
    "sh",
    "-c",
    "sleep 0.3",
  );
  rmSync(gone);
  await waitUntil(async () => (await inspect("broken")).State.Error.includes(gone), waitMs, "the reason is told");
  expect((await inspect("broken")).State.Status).toBe("exited");
  await product.ok("rm", "broken");
});

kernelTest("after a stop of the machine those come back that should", needs, () => stopMachine());

kernelTest("those come back also when the first engine after the boot is killed before it knows", needs, () =>
  stopMachine(() => points.arm("container.restart.booted", "kill")),
);

async function stopMachine(beforeBoot?: () => void): Promise<void> {
  const forever = "while :; do sleep 0.1; done";
  for (const policy of ["always", "unless-stopped", "no"]) {
    await start(`up-${policy}`, policy, forever);
    await start(`down-${policy}`, policy, forever);
    await product.ok("stop", "-t", "0", `down-${policy}`);
  }
  product.disconnect();
  // As a power cut leaves it: nothing runs, and the next boot has another id.
  const killAll = () => {
    for (const pid of product.pids())
      try {
        process.kill(pid, "SIGKILL");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it ended with the one before it
      }
    return product.pids().length === 0;
  };
  await waitUntil(killAll, waitMs, "nothing of it runs");
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "");
  for (const path of mounts.filter((one) => one.startsWith(`${product.runDir}/`)))
    Bun.spawnSync(["umount", "-l", path]);
  rmSync(product.runDir, { recursive: true });
  const bootId = join(product.stateDir, "boot-id");
  expect(readFileSync(bootId, "utf8")).toMatch(/^[0-9a-f-]{36}\n$/);
  writeFileSync(bootId, "00000000-0000-0000-0000-000000000000\n");
  beforeBoot?.();
  await product.ok("info");
  if (beforeBoot !== undefined) expect(points.hasActed).toBe(true);
  await becomes("up-always", "running");
  await becomes("down-always", "running");
  await becomes("up-unless-stopped", "running");
  for (const name of ["down-unless-stopped", "up-no", "down-no"]) await becomes(name, "exited");
  for (const { Id } of await product.engine.containers.list({ all: true })) await product.ok("rm", "-f", Id);
}

kernelTest("what makes no sense is refused in Docker's words", needs, async () => {
  const refusal = async (...words: string[]) =>
    (await product.run(["create", "--rootfs", rootfs, ...words, "true"])).stderr;
  expect(await refusal("--restart", "sometimes")).toContain(
    "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
  );
  expect(await refusal("--restart", "always:3")).toContain("maximum retry count can only be used with 'on-failure'");
  expect(await refusal("--restart", "always", "--rm")).toContain(
    "can't create 'AutoRemove' container with restart policy",
  );
});
