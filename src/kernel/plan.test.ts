import { expect, test } from "bun:test";
import { FRAME_MAX, FrameError } from "./frame.ts";
import { encodePlan, encodeStep } from "./plan.ts";
import type { Step } from "./step.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const why = "a test";

test.each<[string, Step, string]>([
  ["no argument", { op: "gate", why }, "0a000000 02 05000000 04 67617465"],
  ["a string", { op: "hostname", name: "é", why }, "15000000 02 05000000 08 686f73746e616d65 02000000 c3a9 00"],
  ["a number", { op: "umask", mask: 18, why }, "13000000 02 05000000 05 756d61736b 1200000000000000"],
  [
    "bytes",
    { op: "write", path: "/", data: Uint8Array.of(0, 255), why },
    "18000000 02 05000000 05 7772697465 01000000 2f 00 02000000 00ff 00",
  ],
  [
    "lists",
    { op: "exec", argv: ["a", ""], env: [], why },
    "1d000000 02 05000000 04 65786563 02000000 01000000 61 00 00000000 00 00000000",
  ],
])("a step with %s", (_what, step, expected) => {
  expect(hex(encodeStep(step, 5))).toBe(expected.replaceAll(" ", ""));
});

test("the reason does not travel", () => {
  const step = (reason: string): Step => ({ op: "umask", mask: 18, why: reason });
  expect(encodeStep(step("one"), 0)).toEqual(encodeStep(step("quite another"), 0));
});

test("a plan is HELLO, its steps in order, END", () => {
  const plan = encodePlan([
    { op: "release", why },
    { op: "gate", why },
  ]);
  const hello = "050000000101000000";
  const release = `0d000000020000000007${hex(Buffer.from("release"))}`;
  const gate = `0a000000020100000004${hex(Buffer.from("gate"))}`;
  expect(hex(plan)).toBe(`${hello}${release}${gate}0100000003`);
});

test.each<[string, Step, RegExp]>([
  ["NUL in a string", { op: "hostname", name: "a\0b", why }, /argument name: .* contains NUL/],
  ["a negative number", { op: "umask", mask: -1, why }, /argument mask: -1 is not an unsigned 64-bit number/],
  ["a fraction", { op: "umask", mask: 1.5, why }, /argument mask: 1.5 is not an exact integer/],
  ["a number over 64 bits", { op: "umask", mask: 1n << 64n, why }, /not an unsigned 64-bit number/],
  ["an inexact number", { op: "umask", mask: 2 ** 60, why }, /not an exact integer/],
])("%s is refused, and the argument named", (_what, step, message) => {
  expect(() => encodePlan([step])).toThrow(message);
});

test("a step over the size of a frame is refused before anything is sent", () => {
  const step: Step = { op: "write", path: "/x", data: new Uint8Array(FRAME_MAX), why };
  expect(() => encodePlan([step])).toThrow(FrameError);
});
