/** Where each cgroup version is frozen, and what it says then. */

import { expect, test } from "bun:test";
import { isFrozen, planFreeze, planThaw } from "./freeze.ts";
import type { CgroupLayout } from "./layout.ts";

const v1: CgroupLayout = {
  v1: [{ mountPoint: "/cg/freezer", controllers: ["freezer"], name: undefined }],
  v2: undefined,
};
const v2: CgroupLayout = { v1: [], v2: { mountPoint: "/cg", controllers: [] } };
const without: CgroupLayout = {
  v1: [{ mountPoint: "/cg/pids", controllers: ["pids"], name: undefined }],
  v2: undefined,
};

test.each([
  ["v1", v1, "/cg/freezer/a/freezer.state", "FROZEN", "FROZEN", "THAWED", "THAWED"],
  ["v2", v2, "/cg/a/cgroup.freeze", "1", "frozen 1", "0", "frozen 0"],
] as const)("%s", (_, layout, path, freeze, frozen, thaw, thawed) => {
  const written = (steps: ReturnType<typeof planFreeze>) =>
    steps.map((step) => step.op === "write-until" && [step.path, new TextDecoder().decode(step.data), step.line]);
  expect(written(planFreeze(layout, "/a"))).toEqual([[path, freeze, frozen]]);
  expect(written(planThaw(layout, "/a"))).toEqual([[path, thaw, thawed]]);
  expect(isFrozen(layout, "/a", () => `populated 1\n${frozen}\n`)).toBe(true);
  expect(isFrozen(layout, "/a", () => `populated 1\n${thawed}\n`)).toBe(false);
  expect(isFrozen(layout, "/a", () => undefined)).toBe(false);
});

test("a v1 machine without the freezer says what is missing", () => {
  expect(() => planFreeze(without, "/a")).toThrow("needs the cgroup controller freezer");
  expect(isFrozen(without, "/a", () => "FROZEN\n")).toBe(false);
});
