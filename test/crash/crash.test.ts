/**
 * Kills engine, monitor and supervisor at every step point, one at a time, in the middle of containers' lives, and checks what
 * is promised. The list of points is generated; a point that no life reaches fails, unless the reason is written down.
 */

import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { executorPath, kernelTest, type Need } from "../kernel/harness.ts";
import { expectNoLeaks, findLeaks } from "../leakcheck.ts";
import { waitUntil } from "../wait-until.ts";
import { type Life, live, lives } from "./lives.ts";
import type { PointAction } from "./point-file.ts";
import { enginePoints, executorPoints } from "./point-list.ts";
import { checkAfterwards, checkPromises } from "./promises.ts";
import { closeRig, coverPoints, nothingTold, openRig } from "./rig.ts";
import { unreachedPoints } from "./unreached-points.ts";

const needs: readonly Need[] = ["root", "executor", "product", "busybox", "overlay"];
const timeoutMs = 120_000;
/** A life that is cut off must say so; it must not wait for ever. */
const hangMs = 60_000;
/** Everything else that goes on behind the answers has ended by then. */
const seededMs = 1000;

const nativePoints = existsSync(executorPath) ? executorPoints(executorPath) : [];

let coverage: Promise<ReadonlyMap<string, string>> | undefined;

afterAll(closeRig, timeoutMs);

kernelTest(
  "every life is lived to its end when nothing is killed",
  needs,
  async () => {
    coverage ??= coverPoints();
    expect((await coverage).size).toBeGreaterThan(0);
  },
  timeoutMs,
);

describe("killed at", () => {
  for (const point of [...nativePoints, ...enginePoints()]) {
    kernelTest(point, needs, () => crashAt(point, "kill"), timeoutMs);
  }
});

describe("failing with EIO at", () => {
  for (const point of nativePoints) kernelTest(point, needs, () => crashAt(point, "5"), timeoutMs);
});

describe("an excused point exists, and its step has a test elsewhere", () => {
  test.each(Object.entries(unreachedPoints))("%s", (point, { testedIn }) => {
    expect([...nativePoints, ...enginePoints()]).toContain(point);
    expect(existsSync(join(import.meta.dir, "..", testedIn))).toBe(true);
  });
});

describe("a seeded fault is noticed", () => {
  kernelTest(
    "a group that is not removed",
    needs,
    async () => {
      const leaks = await leaksAfterSkipping("step.rmdir");
      expect(leaks).toContainEqual(expect.stringMatching(/^cgroup: .*\/orlop\/[0-9a-f]{64}$/));
      for (const leak of leaks) if (leak.startsWith("cgroup: ")) rmdirSync(leak.slice("cgroup: ".length));
    },
    timeoutMs,
  );

  kernelTest(
    "files that are not removed",
    needs,
    async () => {
      const leaks = await leaksAfterSkipping("step.remove");
      expect(leaks).toContainEqual(expect.stringMatching(/^file: .*\/containers\/[0-9a-f]{64}$/));
      for (const leak of leaks)
        if (leak.startsWith("file: ")) rmSync(leak.slice("file: ".length), { recursive: true, force: true });
    },
    timeoutMs,
  );
});

/** What leakcheck reports when this step of a container's removal is silently left out. */
async function leaksAfterSkipping(step: string): Promise<string[]> {
  const { product, points, rootfs, before, watch } = await openRig();
  const life = lives["durable"] as Life;
  points.arm(step, "skip");
  await live(product, life, rootfs, nothingTold("durable"));
  await waitUntil(() => points.hasActed, timeoutMs, `${step} is reached`);
  points.disarm();
  product.disconnect();
  const settled = await expectNoLeaks(before, watch, seededMs).then(
    () => [],
    () => findLeaks(before, watch),
  );
  return settled;
}

async function crashAt(point: string, action: PointAction): Promise<void> {
  coverage ??= coverPoints();
  const name = (await coverage).get(point);
  const life = name === undefined ? undefined : lives[name];
  if (name === undefined || life === undefined) {
    expect(unreachedPoints, "no life reaches this point").toHaveProperty([point]);
    return;
  }
  const isExcused = unreachedPoints[point]?.sometimes === true;
  if (!isExcused) expect(unreachedPoints, "this point is reached now").not.toHaveProperty([point]);
  const { product, points, rootfs, before, watch } = await openRig();
  const told = nothingTold(name);
  let passed = false;
  try {
    points.arm(point, action);
    const cutOff = await Promise.race([
      endOf(live(product, life, rootfs, told)),
      Bun.sleep(hangMs).then(() => "hangs"),
    ]);
    expect(cutOff).not.toBe("hangs");
    await waitUntil(() => points.hasActed, timeoutMs, `${point} is reached`); // some work goes on behind the answers
    points.disarm();
    await checkPromises(product, told);
    await checkAfterwards(product, told, before, watch);
    passed = true;
  } finally {
    points.disarm();
    if (!passed) await closeRig().catch(() => undefined); // what failed is being reported already
  }
}

/** How a life ended that may have been cut off. */
function endOf(life: Promise<void>): Promise<string> {
  return life.then(
    () => "lived to its end",
    (error: unknown) => String(error),
  );
}
