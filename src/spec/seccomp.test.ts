import { describe, expect, test } from "bun:test";
import { parseDockerSeccomp } from "./docker-seccomp.ts";
import { parseSeccomp, parseSeccompJson } from "./seccomp.ts";

const minimal = { defaultAction: "SCMP_ACT_ERRNO" };
const withArg = (arg: object): object => ({
  ...minimal,
  syscalls: [{ names: ["socket"], action: "SCMP_ACT_ALLOW", args: [arg] }],
});

describe("linux.seccomp", () => {
  test("a whole profile is read as it is written", () => {
    const profile = {
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 38,
      architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      syscalls: [
        { names: ["read", "write"], action: "SCMP_ACT_ALLOW" },
        {
          names: ["socket"],
          action: "SCMP_ACT_TRACE",
          errnoRet: 7,
          args: [{ index: 5, value: 1, valueTwo: 2, op: "SCMP_CMP_MASKED_EQ" }],
        },
      ],
    };
    expect(parseSeccomp(profile)).toEqual(profile as ReturnType<typeof parseSeccomp>);
  });

  test("null counts as absent, as Go writes it, and fields from later specifications are left alone", () => {
    expect(parseSeccomp({ ...minimal, architectures: null, syscalls: null, future: 1 })).toEqual({
      defaultAction: "SCMP_ACT_ERRNO",
    });
  });

  test.each([
    [null, "invalid linux.seccomp"],
    [[], 'invalid linux.seccomp "[]": expected an object'],
    [{}, 'invalid linux.seccomp.defaultAction "nothing": expected one of SCMP_ACT_KILL, '],
    [{ defaultAction: "ALLOW" }, 'invalid linux.seccomp.defaultAction "ALLOW"'],
    [{ defaultAction: "SCMP_ACT_ALLOW", defaultErrnoRet: 1 }, "nothing here: SCMP_ACT_ALLOW returns no number"],
    [
      { ...minimal, defaultErrnoRet: 4096 },
      'linux.seccomp.defaultErrnoRet "4096": expected a whole number from 0 to 4095',
    ],
    [{ ...minimal, defaultErrnoRet: -1 }, 'defaultErrnoRet "-1"'],
    [{ ...minimal, architectures: "SCMP_ARCH_X86" }, "linux.seccomp.architectures"],
    [{ ...minimal, architectures: [1] }, 'linux.seccomp.architectures[0] "1": expected a text'],
    [{ ...minimal, flags: ["TSYNC"] }, 'linux.seccomp.flags[0] "TSYNC": expected one of SECCOMP_FILTER_FLAG_TSYNC'],
    [{ ...minimal, syscalls: {} }, 'linux.seccomp.syscalls "{}": expected a list'],
    [{ ...minimal, syscalls: [{ action: "SCMP_ACT_ALLOW" }] }, 'linux.seccomp.syscalls[0].names "nothing"'],
    [
      { ...minimal, syscalls: [{ names: [], action: "SCMP_ACT_ALLOW" }] },
      'syscalls[0].names "[]": expected at least one',
    ],
    [{ ...minimal, syscalls: [{ names: ["a"], action: "X" }] }, 'linux.seccomp.syscalls[0].action "X"'],
    [
      { ...minimal, syscalls: [{ names: ["a"], action: "SCMP_ACT_KILL", errnoRet: 1 }] },
      'linux.seccomp.syscalls[0].errnoRet "1": expected nothing here: SCMP_ACT_KILL returns no number',
    ],
    [
      withArg({ index: 6, value: 0, op: "SCMP_CMP_EQ" }),
      'syscalls[0].args[0].index "6": expected a whole number from 0 to 5',
    ],
    [withArg({ index: 0, value: -1, op: "SCMP_CMP_EQ" }), 'args[0].value "-1": expected an unsigned 64-bit number'],
    [withArg({ index: 0, value: 2 ** 60, op: "SCMP_CMP_EQ" }), "args[0].value"],

    [withArg({ index: 0, op: "SCMP_CMP_EQ" }), 'args[0].value "nothing"'],
    [withArg({ index: 0, value: 0, op: "EQ" }), 'args[0].op "EQ": expected one of SCMP_CMP_NE'],
    [{ defaultAction: "SCMP_ACT_NOTIFY" }, "linux.seccomp.defaultAction SCMP_ACT_NOTIFY is not supported"],
    [
      { ...minimal, syscalls: [{ names: ["mount"], action: "SCMP_ACT_NOTIFY" }] },
      "linux.seccomp.syscalls[0].action SCMP_ACT_NOTIFY is not supported",
    ],
    [{ ...minimal, listenerPath: "/x" }, "linux.seccomp.listenerPath is not supported"],
  ])("%j is refused: %s", (value, message) => {
    expect(() => parseSeccomp(value)).toThrow(message);
  });

  test("64-bit numbers in JSON stay exact", () => {
    const text = JSON.stringify(withArg({ index: 0, value: "V", op: "SCMP_CMP_EQ" }));
    const firstValue = (written: string): unknown =>
      parseSeccompJson(text.replace('"V"', written)).syscalls?.[0]?.args?.[0]?.value;
    expect(firstValue("18446744073709551615")).toBe(0xffff_ffff_ffff_ffffn);
    expect(firstValue("9007199254740993")).toBe(9007199254740993n);
    expect(firstValue("4294967295")).toBe(4294967295);
    expect(() => firstValue("1.5")).toThrow('args[0].value "1.5"');
    expect(() => firstValue("18446744073709551616")).toThrow("unsigned 64-bit");
    expect(() => firstValue("-1")).toThrow('args[0].value "-1"');
    expect(() => parseSeccompJson("{")).toThrow('invalid seccomp "{": expected JSON');
  });
});

describe("a profile in Docker's format", () => {
  const resolve = (
    syscalls: unknown,
    facts: { caps?: string[]; machine?: "x86_64" | "aarch64"; kernel?: number } = {},
  ) =>
    parseDockerSeccomp(JSON.stringify({ ...minimal, syscalls }), {
      capabilities: new Set(facts.caps ?? []),
      machine: facts.machine ?? "x86_64",
      kernel: { major: 5, minor: facts.kernel ?? 10 },
    }).syscalls?.flatMap((rule) => rule.names);
  const rule = (conditions: object): object => ({ names: ["bpf"], action: "SCMP_ACT_ALLOW", ...conditions });

  test.each([
    ["no condition", {}, {}, true],
    ["empty conditions, as Docker writes them", { includes: {}, excludes: {} }, {}, true],
    ["a capability it has", { includes: { caps: ["CAP_BPF"] } }, { caps: ["CAP_BPF"] }, true],
    ["a capability it lacks", { includes: { caps: ["CAP_BPF"] } }, {}, false],
    ["one of two capabilities", { includes: { caps: ["CAP_BPF", "CAP_KILL"] } }, { caps: ["CAP_BPF"] }, false],
    ["excluded by one of two", { excludes: { caps: ["CAP_BPF", "CAP_KILL"] } }, { caps: ["CAP_BPF"] }, false],
    ["its machine", { includes: { arches: ["amd64", "x32"] } }, {}, true],
    ["another machine", { includes: { arches: ["arm64"] } }, {}, false],
    ["another machine, here", { includes: { arches: ["arm64"] } }, { machine: "aarch64" as const }, true],
    ["excluded on its machine", { excludes: { arches: ["amd64"] } }, {}, false],
    ["a kernel that is new enough", { includes: { minKernel: "5.10" } }, {}, true],
    ["a kernel that is too old", { includes: { minKernel: "5.11" } }, {}, false],
    ["a major version that is too old", { includes: { minKernel: "6.0" } }, {}, false],
    ["every condition must hold", { includes: { caps: ["CAP_BPF"], minKernel: "6.0" } }, { caps: ["CAP_BPF"] }, false],
  ])("%s", (_name, conditions, facts, applies) => {
    expect(resolve([rule(conditions)], facts)).toEqual(applies ? ["bpf"] : []);
  });

  test("the old form with one name is read", () => {
    expect(resolve([{ name: "read", action: "SCMP_ACT_ALLOW" }])).toEqual(["read"]);
  });

  test("the machine's line of archMap is taken, and without one its own name", () => {
    const map = [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] }];
    const parse = (machine: "x86_64" | "aarch64") =>
      parseDockerSeccomp(JSON.stringify({ ...minimal, archMap: map }), {
        capabilities: new Set(),
        machine,
        kernel: { major: 6, minor: 1 },
      }).architectures;
    expect(parse("x86_64")).toEqual(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]);
    expect(parse("aarch64")).toEqual(["SCMP_ARCH_AARCH64"]);
  });

  test.each([
    ["not JSON", "{", "expected JSON"],
    ["both lists", JSON.stringify({ ...minimal, archMap: [], architectures: ["x"] }), "archMap and architectures"],
    [
      "a mistake in an entry for another machine",
      JSON.stringify({ ...minimal, syscalls: [{ names: ["a"], action: "NO", includes: { arches: ["arm64"] } }] }),
      'seccomp profile.syscalls[0].action "NO"',
    ],
    [
      "a kernel version that is none",
      JSON.stringify({ ...minimal, syscalls: [rule({ includes: { minKernel: "new" } })] }),
      'seccomp profile.syscalls[0].includes.minKernel "new": expected a kernel version such as "4.8"',
    ],
  ])("%s is refused", (_name, json, message) => {
    const facts = { capabilities: new Set<string>(), machine: "x86_64" as const, kernel: { major: 6, minor: 1 } };
    expect(() => parseDockerSeccomp(json, facts)).toThrow(message);
  });
});
