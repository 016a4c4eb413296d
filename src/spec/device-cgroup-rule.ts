/** `c 13:* rwm`: which devices a container may use, beside the usual ones. */

import { type Read, text, wrong } from "./engine-api-read.ts";

export interface DeviceCgroupRule {
  readonly type: "a" | "b" | "c";
  /** undefined: all. */
  readonly major: number | undefined;
  readonly minor: number | undefined;
  /** Letters of "rwm". */
  readonly access: string;
}

export const deviceCgroupRule: Read<string> = (value, path) => {
  const rule = text(value, path);
  parseDeviceCgroupRule(rule, path);
  return rule;
};

export function parseDeviceCgroupRule(rule: string, path = "HostConfig.DeviceCgroupRules"): DeviceCgroupRule {
  const match = /^([abc]) (\d{1,8}|\*):(\d{1,8}|\*) ([rwm]{1,3})$/.exec(rule);
  if (match === null) throw wrong(path, rule, '"TYPE MAJOR:MINOR ACCESS", e.g. "c 13:* rwm"');
  const [, type, major, minor, access] = match;
  const number = (digits: string | undefined): number | undefined => (digits === "*" ? undefined : Number(digits));
  return {
    type: type as DeviceCgroupRule["type"],
    major: number(major),
    minor: number(minor),
    access: access as string,
  };
}
