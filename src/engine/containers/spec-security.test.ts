/** Security options. */

import { expect, test } from "bun:test";
import { hostConfig } from "../../spec/engine-api-host-config.ts";
import { testMachine } from "../fixture-machine.ts";
import { parseSecurityOptions, policyWarnings, securityOf } from "./spec-security.ts";

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
  ["writable-cgroups=true", 'HostConfig.SecurityOpt "writable-cgroups=true" is not supported'],
  ["no-new-privileges=maybe", 'invalid --security-opt 2: "no-new-privileges=maybe"'],
  ["seccomp=", "invalid --security-opt 2"],
  ["apparmor=", "invalid --security-opt 2"],
  ["open sesame", "invalid --security-opt 2"],
])("%s is refused", (option, message) => {
  expect(() => parseSecurityOptions([option])).toThrow(message);
});

test("an option for a security module that the machine has not is said to do nothing; where there is one it is refused", () => {
  const asked = ["apparmor=unconfined", "label=disable", "label=type:svirt", "apparmor=docker-default"];
  const host = hostConfig({ SecurityOpt: asked }, "HostConfig");
  expect(policyWarnings(host, { securityModules: ["capability"] })).toEqual([
    "This machine has no SELinux: the security option label=type:svirt does nothing.",
    "This machine has no AppArmor: the security option apparmor=docker-default does nothing.",
  ]);
  expect(() => policyWarnings(host, { securityModules: ["apparmor"] })).toThrow(
    'HostConfig.SecurityOpt "apparmor=docker-default" is not supported',
  );
  expect(() => policyWarnings(host, { securityModules: ["selinux"] })).toThrow('"label=type:svirt" is not supported');
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
