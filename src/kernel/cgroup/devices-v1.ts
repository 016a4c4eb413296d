/** Device rules as lines for cgroup v1's `devices.allow` and `devices.deny`. @see Documentation/admin-guide/cgroup-v1/devices.rst */

import { type DeviceRule, everyNumber } from "../device-rules.ts";
import type { GroupFile } from "./limits.ts";

/** One write per rule, in order: the later one wins, as in the specification. */
export function deviceFilesV1(rules: readonly DeviceRule[]): GroupFile[] {
  return rules.flatMap((rule) =>
    ruleLines(rule).map((value) => ({
      controller: "devices",
      file: rule.allow ? "devices.allow" : "devices.deny",
      value,
      why: value === "a" ? everyDevice(rule.allow) : `devices it may ${rule.allow ? "" : "not "}use`,
    })),
  );
}

function everyDevice(allow: boolean): string {
  return allow ? "every device" : "no device at all; exceptions follow";
}

function ruleLines(rule: DeviceRule): string[] {
  const access = rule.access ?? "rwm";
  const numbers = `${number(rule.major)}:${number(rule.minor)}`;
  const whole = numbers === "*:*" && [..."rwm"].every((letter) => access.includes(letter));
  const anyType = rule.type === undefined || rule.type === "a";
  // "a" alone resets the group to all or nothing; with anything behind it the kernel ignores the rest.
  if (anyType && whole) return ["a"];
  const types = anyType ? ["b", "c"] : [rule.type];
  return types.map((type) => `${type} ${numbers} ${access}`);
}

function number(value: number | undefined): string {
  return everyNumber(value) ? "*" : String(value);
}
