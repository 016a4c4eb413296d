import { describe, expect, test } from "bun:test";
import { type DeviceRule, defaultDeviceRules } from "../device-rules.ts";
import { deviceFilesV1 } from "./devices-v1.ts";
import { checkDeviceRulesV1 } from "./devices-v1-check.ts";

const nothing: DeviceRule = { allow: false };
const everything: DeviceRule = { allow: true };
const rule = (allow: boolean, type: "b" | "c", major: number, minor: number, access: string): DeviceRule => ({
  allow,
  type,
  major,
  minor,
  access,
});

describe("cgroup v1 carries out", () => {
  test.each([
    ["the default rules", defaultDeviceRules],
    ["the default rules and fuse", [...defaultDeviceRules, rule(true, "c", 10, 229, "rwm")]],
    ["everything", [everything]],
    ["everything but one disk", [everything, rule(false, "b", 8, 0, "rw")]],
    ["a device given and taken", [nothing, rule(true, "c", 1, 3, "rwm"), rule(false, "c", 1, 3, "w")]],
    ["a narrower permission after a wider one", [nothing, rule(true, "c", 1, -1, "r"), rule(true, "c", 1, 5, "rw")]],
    ["a wider refusal that finds nothing", [nothing, rule(false, "c", 1, -1, "rwm")]],
    ["a reset after anything", [nothing, rule(true, "c", 1, -1, "rwm"), rule(false, "c", 1, 5, "w"), nothing]],
  ])("%s", (_name, rules) => {
    expect(() => checkDeviceRulesV1(rules)).not.toThrow();
  });
});

describe("cgroup v1 cannot carry out", () => {
  test.each([
    ["one device out of many", [nothing, rule(true, "c", 1, -1, "rwm"), rule(false, "c", 1, 5, "w")], "c 1:5 w"],
    ["many devices out of one", [nothing, rule(true, "c", 1, 5, "rwm"), rule(false, "c", 1, -1, "w")], "c 1:* w"],
    ["one node out of any", [...defaultDeviceRules, rule(false, "c", 10, 229, "m")], "c 10:229 m"],
    [
      "one disk back after all disks",
      [everything, rule(false, "b", 8, -1, "rwm"), rule(true, "b", 8, 1, "r")],
      "b 8:1 r",
    ],
  ])("%s, and says so", (_name, rules, named) => {
    const message = `device rule ${named} beside the others needs cgroup v2, which this machine does not have`;
    expect(() => checkDeviceRulesV1(rules)).toThrow(message);
    expect(() => deviceFilesV1(rules)).toThrow(message);
  });
});

test("rules that do not begin with all or nothing begin with nothing, as on v2", () => {
  const files = deviceFilesV1([rule(true, "c", 1, 3, "rwm")]);
  expect(files.map(({ file, value }) => [file, value])).toEqual([
    ["devices.deny", "a"],
    ["devices.allow", "c 1:3 rwm"],
  ]);
  expect(deviceFilesV1([])).toEqual([]);
});
