/** Security options. */

import { expect, test } from "bun:test";
import { hostConfig } from "../../spec/engine-api-host-config.ts";
import { testMachine } from "../fixture-machine.ts";
import { parseSecurityOptions, securityOf } from "./spec-security.ts";

test.each([
  [[], { noNewPrivileges: false, seccomp: undefined, openPaths: false }],
  [["no-new-privileges"], { noNewPrivileges: true }],
  [["no-new-privileges:true"], { noNewPrivileges: true }],
  [["no-new-privileges=false"], { noNewPrivileges: false }],
  [["seccomp=unconfined", "apparmor=unconfined", "label=disable"], { seccomp: "unconfined" }],
  [['seccomp:{"a":"=:"}'], { seccomp: '{"a":"=:"}' }],
  [["systempaths=unconfined"], { openPaths: true }],
])("%j", (options, expected) => {
  expect(parseSecurityOptions(options)).toMatchObject(expected);
});

test.each([
  ["apparmor=docker-default", 'HostConfig.SecurityOpt "apparmor=docker-default" is not supported'],
  ["label=type:svirt", "is not supported"],
  ["no-new-privileges=maybe", "invalid HostConfig.SecurityOpt"],
  ["seccomp=", "invalid HostConfig.SecurityOpt"],
  ["open sesame", "invalid HostConfig.SecurityOpt"],
])("%s is refused", (option, message) => {
  expect(() => parseSecurityOptions([option])).toThrow(message);
});

const security = (fields: Record<string, unknown>) => securityOf(hostConfig(fields, "HostConfig"), 0, testMachine);

test("the default filter is one object for one set of capabilities, so that it is compiled once", () => {
  const [first, second, other] = [security({}), security({}), security({ CapAdd: ["SYS_TIME"] })];
  expect(first.seccomp === second.seccomp).toBe(true);
  expect(first.seccomp === other.seccomp).toBe(false);
});

test("a privileged container is filtered when a filter is given", () => {
  expect(security({ Privileged: true }).seccomp).toBeUndefined();
  const profile = 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}';
  expect(security({ Privileged: true, SecurityOpt: [profile] }).seccomp?.defaultAction).toBe("SCMP_ACT_ALLOW");
});

test("an unknown capability is refused", () => {
  expect(() => security({ CapAdd: ["SYS_ADMIM"] })).toThrow("SYS_ADMIM");
});

test("a capability that this machine's root does not have is refused, not left out", () => {
  const machine = { ...testMachine, host: { ...testMachine.host, capabilities: ~(1n << 24n) & ((1n << 41n) - 1n) } };
  const asked = (fields: Record<string, unknown>) => securityOf(hostConfig(fields, "HostConfig"), 0, machine);
  expect(() => asked({ CapAdd: ["sys_resource"] })).toThrow("root on this machine does not have CAP_SYS_RESOURCE");
  expect(asked({ CapAdd: ["ALL"] }).capabilities.bounding).toContain("CAP_SYS_ADMIN");
});
