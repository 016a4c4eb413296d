/** Device programs decide as the rules say: the interpreter against a model, for the default rules and for random ones. */

import { describe, expect, test } from "bun:test";
import { deviceProgram } from "../../../src/kernel/device-program.ts";
import { accessBits, type DeviceRule, defaultDeviceRules } from "../../../src/kernel/device-rules.ts";
import { seeded } from "../seccomp/sample-calls.ts";
import { type DeviceContext, runDeviceProgram } from "./ebpf-interpreter.ts";

/** For each access that is asked for, the last rule that names the device and it; no rule: refused. */
function isAllowed(rules: readonly DeviceRule[], { type, major, minor, access }: DeviceContext): boolean {
  const every = (value: number | undefined): boolean => value === undefined || value === -1;
  const decides = (rule: DeviceRule, bit: number): boolean =>
    (rule.type === undefined || rule.type === "a" || rule.type === type) &&
    (every(rule.major) || rule.major === major) &&
    (every(rule.minor) || rule.minor === minor) &&
    (accessBits(rule.access) & bit) !== 0;
  return [1, 2, 4]
    .filter((bit) => (access & bit) !== 0)
    .every((bit) => rules.findLast((rule) => decides(rule, bit))?.allow);
}

const numbers = [0, 1, 2, 3, 5, 7, 8, 9, 10, 136, 200, 229, 4095, 1048575];
const contexts: readonly DeviceContext[] = (["b", "c"] as const).flatMap((type) =>
  numbers.flatMap((major) =>
    numbers.flatMap((minor) => [1, 2, 4, 3, 5, 6, 7].map((access) => ({ type, major, minor, access }))),
  ),
);

function disagreements(rules: readonly DeviceRule[]): DeviceContext[] {
  const program = deviceProgram(rules);
  return contexts.filter((context) => (runDeviceProgram(program, context) === 1) !== isAllowed(rules, context));
}

const allow = (text: string): DeviceRule => parse(text, true);
const deny = (text: string): DeviceRule => parse(text, false);
function parse(text: string, isAllowedRule: boolean): DeviceRule {
  const [type = "a", device = "*:*", access = "rwm"] = text.split(" ");
  const [major, minor] = device.split(":").map((number) => (number === "*" ? -1 : Number(number)));
  return { allow: isAllowedRule, type: type as "a" | "b" | "c", major: major ?? -1, minor: minor ?? -1, access };
}

describe("the program of device rules", () => {
  test.each([
    ["the default rules", defaultDeviceRules],
    ["no rules: nothing", []],
    ["everything (privileged)", [allow("a")]],
    ["the default and one more", [...defaultDeviceRules, allow("c 10:229 rw")]],
    ["one taken away again", [deny("a"), allow("c 1:* rwm"), deny("c 1:5 w")]],
    ["reading by one rule, writing by another", [deny("a"), allow("c 1:* r"), allow("c *:3 w")]],
    ["a later reset", [allow("c 1:3 rwm"), deny("a"), allow("b 8:0 r")]],
    ["everything but one", [allow("a"), deny("b 8:* rw")]],
    ["any type with numbers", [deny("a"), allow("a 8:1 r")]],
  ])("%s", (_name, rules) => {
    expect(disagreements(rules)).toEqual([]);
  });

  test("300 random sets of rules", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = seeded(seed);
      const number = (): number => (random(3) === 0 ? -1 : (numbers[random(numbers.length)] ?? 0));
      const rules = Array.from(
        { length: random(8) },
        (): DeviceRule => ({
          allow: random(2) === 0,
          type: (["a", "b", "c"] as const)[random(3)] ?? "a",
          major: number(),
          minor: number(),
          access: ["r", "w", "m", "rw", "rm", "wm", "rwm"][random(7)] ?? "rwm",
        }),
      );
      expect({ rules, found: disagreements(rules).slice(0, 3) }).toEqual({ rules, found: [] });
    }
  });

  test("the default lets null be used and any node be made, and no disk be read", () => {
    const decide = (context: DeviceContext): number => runDeviceProgram(deviceProgram(defaultDeviceRules), context);
    expect(decide({ type: "c", major: 1, minor: 3, access: 6 })).toBe(1);
    expect(decide({ type: "c", major: 136, minor: 77, access: 6 })).toBe(1);
    expect(decide({ type: "b", major: 8, minor: 0, access: 1 })).toBe(1);
    expect(decide({ type: "b", major: 8, minor: 0, access: 2 })).toBe(0);
    expect(decide({ type: "c", major: 10, minor: 229, access: 6 })).toBe(0);
    expect(decide({ type: "c", major: 1, minor: 1, access: 2 })).toBe(0);
  });

  test.each(["", "x", "rwx", "rwmz", " r"])("access %j is refused", (access) => {
    expect(() => deviceProgram([{ allow: true, access }])).toThrow(`invalid device access ${JSON.stringify(access)}`);
  });
});
