/** A task that outlives its engine: the next one does not look at what is there before that is over. */

import { expect } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PointFile } from "../crash/point-file.ts";
import { nothingReady, Product, testOrlopPath } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { kernelTest } from "./harness.ts";

const waitMs = 30_000;
/** An engine that does not wait has had the time to answer. */
const aheadMs = 1000;

kernelTest(
  "a bridge that a killed engine's task makes late goes with its network, as if it had been there",
  ["root", "product", "nft", "busybox"],
  async ({ directory, defer }) => {
    const points = new PointFile(join(directory, "points"));
    const product = new Product(directory, { program: testOrlopPath, env: { ORLOP_POINT_FILE: points.path } });
    defer(() => points[Symbol.dispose]());
    defer(() => product.stop());
    await product.ok("network", "create", "other");
    await product.ok("create", "--name", "first", "--network", "other", "host", "true");
    await product.ok("start", "first"); // the rules of all networks are there
    await product.ok("wait", "first");
    await product.ok("rm", "first");
    await product.ok("network", "create", "lan");
    const [{ Id }] = JSON.parse(await product.ok("network", "inspect", "lan")) as [{ readonly Id: string }];
    await product.ok("create", "--name", "web", "--network", "lan", "host", "true");
    points.arm("step.try-netlink", "stop"); // the bridge's step
    const started = product.engine.containers.start("web").catch(() => undefined);
    await waitUntil(() => points.hasActed, waitMs, "its task is at the bridge's step");
    const task = product.monitorPids().find(isStopped) ?? expect.unreachable("no task stands still");
    const earlier = product.enginePid() ?? 0;
    process.kill(earlier, "SIGKILL");
    await started;
    product.disconnect();
    const isNext = () => ![undefined, earlier].includes(product.enginePid());
    const removed = product.ok("rm", "-f", "web").then(() => product.ok("network", "rm", "lan"));
    await waitUntil(isNext, waitMs, "the next engine");
    await Promise.race([removed, Bun.sleep(aheadMs)]);
    process.kill(task, "SIGCONT");
    await removed;
    await waitUntil(() => !existsSync(`/proc/${task}`), waitMs, "the task is over");
    expect(readdirSync("/sys/class/net").filter((name) => name.endsWith(Id.slice(0, 8)))).toEqual([]);
    await product.ok("network", "rm", "other");
  },
  120_000,
);

kernelTest(
  "a container's process that looks like such a task keeps no engine waiting",
  ["root", "product", "busybox"],
  async ({ directory, defer }) => {
    const product = new Product(directory, { env: nothingReady });
    defer(() => product.stop());
    const imitate = "printf orlop-task >/proc/self/comm; while :; do sleep 1; done";
    const id = await product.ok(
      "run",
      "-d",
      "--network",
      "none",
      "host",
      "/bin/sh",
      "-c",
      imitate,
      "sh",
      product.runDir,
    );
    const { State } = await product.engine.containers.inspect(id);
    const comm = () => readFileSync(`/proc/${State.Pid}/comm`, "utf8");
    await waitUntil(() => comm() === "orlop-task\n", waitMs, "it calls itself a task");
    product.killEngine();
    product.disconnect();
    await product.ok("info");
    expect(readFileSync(join(product.runDir, "engine.log"), "utf8")).not.toContain("tasks of an earlier engine go on");
    await product.ok("rm", "-f", id);
  },
);

function isStopped(pid: number): boolean {
  return /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}
