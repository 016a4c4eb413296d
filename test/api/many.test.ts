/** Many idle containers: what the engine takes, how quickly it lists them, how soon it is there again after a kill. */

import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { waitUntil } from "../wait-until.ts";
import { useProduct } from "./engine-fixture.ts";

const product = useProduct();

/** The figures below are promised for 500. Times are measured and told: whether they are kept depends on who else uses this machine. */
const count = Number(process.env["ORLOP_TEST_CONTAINERS"] ?? 40);
const limits = { engineMb: 150 };

function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

test(`${count} idle containers`, async () => {
  const Rootfs = makeBusyboxRoot(mkdtempSync(`${dirname(product().runDir)}/root-`));
  const { engine } = product();
  const names = Array.from({ length: count }, (_, i) => `idle-${i}`);
  const queue = [...names];
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
        const HostConfig = { Rootfs, NetworkMode: "none" };
        const { Id } = await engine.containers.create({ Cmd: ["sleep", "100000"], HostConfig }, name);
        await engine.containers.start(Id);
      }
    }),
  );

  const times: number[] = [];
  for (let i = 0; i < 200; i++) {
    const begunMs = performance.now();
    expect((await engine.containers.list()).length).toBe(count);
    times.push(performance.now() - begunMs);
  }
  times.sort((a, b) => a - b);
  const p99Ms = times[Math.floor(times.length * 0.99)] ?? 0;
  const pid = product().enginePid() ?? expect.unreachable("no engine runs");
  const usedMb = residentMb(pid);

  const killedMs = performance.now();
  process.kill(pid, "SIGKILL");
  await waitUntil(
    async () =>
      (
        await product()
          .connect()
          .containers.list()
          .catch(() => [])
      ).length === count,
    30_000,
    "all are there",
  );
  const reconcileMs = performance.now() - killedMs;
  const median = times[times.length >> 1] ?? 0;
  console.log(
    `${count} containers: engine ${usedMb.toFixed(0)} MB, list median ${median.toFixed(1)} p99 ${p99Ms.toFixed(1)} ms, there again after ${reconcileMs.toFixed(0)} ms`,
  );
  expect(usedMb).toBeLessThan(limits.engineMb);

  product().disconnect();
  const leaving = [...names];
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let name = leaving.pop(); name !== undefined; name = leaving.pop())
        await product().engine.containers.remove(name, { force: true });
    }),
  );
}, 600_000);
