import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Step } from "../../kernel/step.ts";
import { surroundingsOf } from "./ready-start.ts";

let directory = "";

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "orlop-surroundings-"));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Of a root of this one tree. */
function treesOf(lower: string): string {
  const root: Step = { op: "overlay", target: "/", lowers: [lower], upper: "", work: "", options: [], why: "" };
  return surroundingsOf([root], directory).trees;
}

function lowerNamed(name: string): string {
  const lower = join(directory, name);
  mkdirSync(lower);
  return lower;
}

test("other accounts in a tree are other surroundings", () => {
  const lower = lowerNamed("accounts");
  mkdirSync(join(lower, "etc"));
  const without = treesOf(lower);
  writeFileSync(join(lower, "etc/passwd"), "");
  expect(treesOf(lower)).not.toBe(without);
});

test("where a link in the place of /etc leads to on the machine is not looked at", () => {
  const lower = lowerNamed("linked");
  const machine = lowerNamed("machine");
  symlinkSync(machine, join(lower, "etc"));
  const before = treesOf(lower);
  writeFileSync(join(machine, "passwd"), "");
  expect(treesOf(lower)).toBe(before);
});

test.each(["file", "loop"])("a tree with a %s in the place of /etc is one like others", (kind) => {
  const lower = lowerNamed(kind);
  if (kind === "file") writeFileSync(join(lower, "etc"), "");
  else symlinkSync("etc", join(lower, "etc"));
  expect(treesOf(lower)).not.toBe("");
});
