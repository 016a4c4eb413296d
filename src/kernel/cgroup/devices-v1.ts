/** Device rules as lines for cgroup v1's `devices.allow` and `devices.deny`. @see Documentation/admin-guide/cgroup-v1/devices.rst */

import { type DeviceRule, everyNumber } from "../device-rules.ts";
import { checkDeviceRulesV1 } from "./devices-v1-check.ts";
import type { GroupFile } from "./limits.ts";

/**
 * One write per rule, in order: the later one wins, as in the specification. A new group has what its parent has, so the
 * first write is always one that resets it.
 *
 * @throws {OrlopError} limit_unsupported for rules that v1 would not follow
 */
export function deviceFilesV1(rules: readonly DeviceRule[]): GroupFile[] {
  checkDeviceRulesV1(rules);
  const [first] = rules;
  const resets = first === undefined || ruleLines(first)[0] === "a";
  return [...(resets ? [] : [{ allow: false }]), ...rules].flatMap((rule) =>
    ruleLines(rule).map((value) => ({
      controller: "devices",
      file: rule.allow ? "devices.allow" : "devices.deny",
      value,
      why: reasonFor(value, rule.allow),
    })),
  );
}

/** Of Documentation/admin-guide/devices.txt, those that containers usually have a rule for. */
const deviceNames: Readonly<Record<string, string>> = {
  "c *:*": "any character device",
  "b *:*": "any block device",
  "c 1:3": "/dev/null",
  "c 1:5": "/dev/zero",
  "c 1:7": "/dev/full",
  "c 1:8": "/dev/random",
  "c 1:9": "/dev/urandom",
  "c 5:0": "/dev/tty",
  "c 5:1": "/dev/console",
  "c 5:2": "/dev/ptmx",
  "c 136:*": "terminals",
  "c 10:229": "/dev/fuse",
};

function reasonFor(line: string, allow: boolean): string {
  if (line === "a") return allow ? "every device may be used" : "no device at all; exceptions follow";
  const [type = "", numbers = "", access = ""] = line.split(" ");
  const device = deviceNames[`${type} ${numbers}`] ?? `device ${type} ${numbers}`;
  const done = access === "m" ? "made" : "used";
  return `${device} may ${allow ? "" : "not "}be ${done}`;
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
