/** Plans for reading: order, sides, reasons, width, colours. */
import { expect, test } from "bun:test";
import type { ExplainedStep } from "../client/explained-plan.ts";
import { renderLayers } from "./explain-layers.ts";
import { renderPlan, styleFor } from "./explain-plan.ts";

const steps: readonly ExplainedStep[] = [
  { side: "host", op: "mkdir", why: "the monitor listens here", calls: ['mkdir("/run/orlop/containers/abc", 0700)'] },
  { side: "host", op: "spawn", why: "the container's first process", calls: ["clone3(CLONE_NEWPID|CLONE_NEWNS)"] },
  {
    side: "container",
    op: "overlay",
    why: `reads pass through, writes stay ${"here ".repeat(40)}`,
    calls: ["fsopen()", "fsmount()"],
  },
  { side: "container", op: "exec", why: "the program", calls: [`execve("bash", [${'"x", '.repeat(40)}])`] },
];

test("a plan names each side, numbers its steps, and gives each its reason and calls", () => {
  const text = renderPlan({ steps, warnings: [] }, "orlop run host bash", styleFor(false));
  expect(text).toStartWith('What "orlop run host bash" would have Linux do, in 4 steps\n\nNothing of this was done.');
  expect(text).toContain("\n\nOn the host: the executor\n\n  1. mkdir: the monitor listens here\n     · mkdir(");
  expect(text).toContain(
    "\n\nIn the container: its first process, before it becomes the program\n\n  3. overlay: reads",
  );
  expect(text.indexOf("clone3")).toBeLessThan(text.indexOf("fsopen"));
});

test("nothing is wider than 100 columns, and there are no escapes unless on a terminal", () => {
  for (const text of [
    renderPlan({ steps, warnings: [] }, "orlop run host bash", styleFor(false)),
    renderLayers(steps, "orlop run --rm -it host bash", styleFor(false)),
  ]) {
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
    expect(text).not.toContain("\x1b");
  }
  expect(renderPlan({ steps, warnings: [] }, "orlop run host bash", styleFor(true))).toContain("\x1b[1mOn the host");
});

test("the layers show each call of the plan under the layer it belongs to", () => {
  const text = renderLayers(steps, "orlop run --rm -it host bash", styleFor(false));
  const at = (needle: string) => {
    expect(text).toContain(needle);
    return text.indexOf(needle);
  };
  expect(at("1. A process")).toBeLessThan(at("· clone3"));
  expect(at("· clone3")).toBeLessThan(at("2. Files"));
  expect(at("2. Files")).toBeLessThan(at("· fsopen"));
  expect(at("5. And then")).toBeLessThan(at("· execve"));
  expect(text).toContain("That is 4 steps.");
});

test("what is in the way is said first", () => {
  const text = renderPlan(
    { steps, warnings: ["somebody drops what is forwarded"] },
    "orlop run host bash",
    styleFor(false),
  );
  expect(text).toContain("in 4 steps\n\nNote: somebody drops what is forwarded\n\nNothing of this");
});
