import { expect, test } from "bun:test";
import type { Step } from "../../kernel/step.ts";
import { Sweeper } from "./sweeper.ts";

const remove = (path: string) => (): Step[] => [{ op: "remove", path, why: "a test" }];
const pathsOf = (steps: readonly Step[]) => steps.map((step) => ("path" in step ? step.path : ""));

function sweeperWith(fails: (path: unknown) => boolean) {
  const plans: unknown[][] = [];
  const sweeper = new Sweeper(async (steps) => {
    plans.push(pathsOf(steps));
    if (pathsOf(steps).some(fails)) throw new Error("refused");
  });
  return { plans, sweeper };
}

test("what comes within a moment goes in one plan, in its order", async () => {
  const { plans, sweeper } = sweeperWith(() => false);
  await Promise.all([sweeper.sweep(remove("/a")), sweeper.sweep(remove("/b"))]);
  await sweeper.sweep(remove("/c"));
  expect(plans).toEqual([["/a", "/b"], ["/c"]]);
});

test("so much that it would take long goes at once", async () => {
  const { plans, sweeper } = sweeperWith(() => false);
  const many = Array.from({ length: 17 }, (_, at) => sweeper.sweep(remove(`/${at}`)));
  expect(plans.map(({ length }) => length)).toEqual([16]);
  await Promise.all(many);
  expect(plans.map(({ length }) => length)).toEqual([16, 1]);
});

test("where one cannot go the others do, and it alone is told", async () => {
  const { plans, sweeper } = sweeperWith((path) => path === "/b");
  const outcomes = await Promise.allSettled(["/a", "/b", "/c"].map((path) => sweeper.sweep(remove(path))));
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(plans).toEqual([["/a", "/b", "/c"], ["/a"], ["/b"], ["/c"]]);
});
