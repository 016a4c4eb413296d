/**
 * Kills engine, monitor and supervisor at every step point, one at a time, in the middle of containers' lives, and checks what
 * is promised. The list of points is generated; a point that no life reaches fails, unless the reason is written down.
 */

import { afterAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { executorPath, kernelTest, type Need } from "../kernel/harness.ts";
import { waitUntil } from "../wait-until.ts";
import { live, lives } from "./lives.ts";
import type { PointAction } from "./point-file.ts";
import { enginePoints, executorPoints } from "./point-list.ts";
import { checkAfterwards, checkPromises } from "./promises.ts";
import { closeRig, coverPoints, nothingTold, openRig } from "./rig.ts";
import { unreachedPoints } from "./unreached-points.ts";

const needs: readonly Need[] = ["root", "executor", "product", "busybox", "overlay"];
const timeoutMs = 60_000;
/** A life that is cut off must say so; it must not wait for ever. */
const hangMs = 25_000;

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

test("no point is excused that does not exist", () => {
  const known = [...executorPoints(executorPath), ...enginePoints()];
  expect(Object.keys(unreachedPoints).filter((name) => !known.includes(name))).toEqual([]);
});

async function crashAt(point: string, action: PointAction): Promise<void> {
  coverage ??= coverPoints();
  const name = (await coverage).get(point);
  const life = name === undefined ? undefined : lives[name];
  if (name === undefined || life === undefined) {
    expect(unreachedPoints, "no life reaches this point").toHaveProperty([point]);
    return;
  }
  expect(unreachedPoints, "this point is reached now").not.toHaveProperty([point]);
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
