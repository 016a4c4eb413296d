import { expect, test } from "bun:test";
import { encodePlan } from "./plan.ts";
import { PlanTemplate, withOtherId } from "./plan-template.ts";
import type { Step } from "./step.ts";

const one = "0123456789ab".padEnd(64, "c");
const other = "ba9876543210".padEnd(64, "d");

const planOf = (id: string): Step[] => [
  { op: "mkdir", path: `/c/${id}/${id}`, mode: 0o700, why: "" },
  { op: "hostname", name: id.slice(0, 12), why: "" },
  { op: "file", path: "/f", mode: 0o644, data: Buffer.from(`${id.slice(0, 12)}\0${id}`), why: "" },
  { op: "exec", argv: ["true", id], env: [`HOSTNAME=${id.slice(0, 12)}x`], why: "" },
  { op: "umask", mask: 0o22, why: "" },
];

test("a cast plan is the plan for the other id, as steps and as bytes", () => {
  const cast = new PlanTemplate(one, planOf(one)).fill(other);
  expect(cast).toEqual(planOf(other));
  expect(Buffer.compare(encodePlan(cast), encodePlan(planOf(other)))).toBe(0);
});

test("a template is wrong where another plan differs in more than the id", () => {
  const template = new PlanTemplate(one, planOf(one));
  expect(template.matches(other, planOf(other))).toBe(true);
  expect(template.matches(other, [...planOf(other), { op: "umask", mask: 0, why: "" }])).toBe(false);
  expect(template.matches(other, planOf(one))).toBe(false);
});

test("what was put in is not looked at again", () => {
  const twisted = `${"e".repeat(52)}0123456789ab`;
  expect(withOtherId(`a ${one} b`, one, twisted)).toBe(`a ${twisted} b`);
});
