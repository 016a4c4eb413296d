/** The executor's table of steps and ours are the same list: a plan that one side writes, the other can read. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { frameKind } from "../../src/kernel/frame.ts";
import { type StepName, signatureOf, stepTable } from "../../src/kernel/step.ts";
import { executorPath, kernelTest } from "./harness.ts";

kernelTest("the executor knows exactly the steps of step.ts, with the same arguments", ["executor"], async () => {
  const printed = await Bun.$`${executorPath} steps`.text();
  const names = Object.keys(stepTable) as StepName[];
  const ours = names.map((name) => `${name} ${signatureOf(name)}`);
  expect(
    printed
      .trimEnd()
      .split("\n")
      .map((line) => line.trimEnd())
      .sort(),
  ).toEqual(ours.map((line) => line.trimEnd()).sort());
});

kernelTest("the executor's step points include every step", ["executor"], async () => {
  const points = (await Bun.$`${executorPath} points`.text()).trimEnd().split("\n");
  for (const name of Object.keys(stepTable)) expect(points).toContain(`step.${name}`);
});

test("frame kinds have the same numbers on both sides", () => {
  const header = readFileSync(join(import.meta.dir, "../../native/orlop.h"), "utf8");
  const list = /enum frame_kind \{([^}]*)\}/.exec(header)?.[1] ?? "";
  let next = 0;
  const theirs = [...list.matchAll(/F_([A-Z_]+)(?: = (\d+))?/g)].map(([, name = "", number]) => {
    next = number === undefined ? next + 1 : Number(number);
    return [name, next];
  });
  expect(theirs.length).toBeGreaterThan(20);
  expect(Object.fromEntries(theirs)).toEqual(frameKind);
});
