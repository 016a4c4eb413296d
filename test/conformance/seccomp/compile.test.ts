/** What the compiler promises beyond single decisions: sizes, far jumps, precedence, multiplexed calls, flags, refusals. */

import { describe, expect, test } from "bun:test";
import { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO } from "../../../src/kernel/seccomp/action.ts";
import { type ArchitectureName, architectures, syscallNumbers } from "../../../src/kernel/seccomp/architecture.ts";
import { compileSeccomp, unknownCalls } from "../../../src/kernel/seccomp/compile.ts";
import type { SeccompProfile, SeccompRule } from "../../../src/kernel/seccomp/profile.ts";
import { loadProgram, runProgram } from "./bpf-interpreter.ts";

const EPERM = SECCOMP_RET_ERRNO + 1;
const all = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];
const eq = (index: number, value: number | bigint) => ({ index, value, op: "SCMP_CMP_EQ" });

function profileOf(...syscalls: SeccompRule[]): SeccompProfile {
  return { defaultAction: "SCMP_ACT_ERRNO", architectures: all, syscalls };
}

/** The decision on a call by name (or number). */
function decide(
  profile: SeccompProfile,
  call: string | number,
  args: readonly bigint[],
  on: ArchitectureName = "x86_64",
) {
  const program = loadProgram(compileSeccomp(profile, "x86_64").program);
  const number = typeof call === "number" ? call : (syscallNumbers(architectures[on]).get(call) ?? -1);
  return runProgram(program, { number, auditArch: architectures[on].auditArch, args }).action;
}

const allow = (name: string, ...args: ReturnType<typeof eq>[]): SeccompRule => ({
  names: [name],
  action: "SCMP_ACT_ALLOW",
  ...(args.length > 0 ? { args } : {}),
});
const fail = (errnoRet: number, name: string, ...args: SeccompRule["args"] & object): SeccompRule => ({
  names: [name],
  action: "SCMP_ACT_ERRNO",
  errnoRet,
  ...(args.length > 0 ? { args } : {}),
});

describe("several rules for one call", () => {
  test("the first unconditional one is the only one", () => {
    for (const rules of [
      [allow("personality"), fail(7, "personality", eq(0, 5))],
      [fail(7, "personality", eq(0, 5)), allow("personality")],
      [allow("personality"), fail(7, "personality")],
    ])
      expect(decide(profileOf(...rules), "personality", [5n])).toBe(SECCOMP_RET_ALLOW);
  });

  test("an equality is looked at before what contains it", () => {
    const above = fail(7, "personality", { index: 0, value: 5, op: "SCMP_CMP_GE" });
    for (const rules of [
      [above, allow("personality", eq(0, 9))],
      [allow("personality", eq(0, 9)), above],
    ]) {
      expect(decide(profileOf(...rules), "personality", [9n])).toBe(SECCOMP_RET_ALLOW);
      expect(decide(profileOf(...rules), "personality", [8n])).toBe(SECCOMP_RET_ERRNO + 7);
      expect(decide(profileOf(...rules), "personality", [4n])).toBe(EPERM);
    }
  });

  test("a rule that says what the default says does not count", () => {
    const rules = [fail(1, "personality"), allow("personality", eq(0, 5))];
    expect(decide(profileOf(...rules), "personality", [5n])).toBe(SECCOMP_RET_ALLOW);
  });

  test("two conditions on one argument are alternatives, on two arguments both must hold", () => {
    const either = profileOf(allow("personality", eq(0, 5), eq(0, 6), eq(1, 1)));
    expect([5n, 6n, 7n].map((value) => decide(either, "personality", [value]))).toEqual([
      SECCOMP_RET_ALLOW,
      SECCOMP_RET_ALLOW,
      EPERM,
    ]);
    const both = profileOf(allow("personality", eq(0, 5), eq(1, 1)));
    expect(decide(both, "personality", [5n, 1n])).toBe(SECCOMP_RET_ALLOW);
    expect(decide(both, "personality", [5n, 0n])).toBe(EPERM);
  });
});

describe("calls that i386 multiplexes", () => {
  test("are decided by their name through socketcall and ipc, and by their arguments where they can be seen", () => {
    const profile = profileOf(allow("socket", eq(0, 1)), allow("accept"), allow("shmget"));
    expect(decide(profile, "socketcall", [1n], "x86")).toBe(SECCOMP_RET_ALLOW);
    expect(decide(profile, "socketcall", [5n], "x86")).toBe(SECCOMP_RET_ALLOW);
    expect(decide(profile, "socketcall", [3n], "x86")).toBe(EPERM);
    expect(decide(profile, "ipc", [23n], "x86")).toBe(SECCOMP_RET_ALLOW);
    expect(decide(profile, "ipc", [21n], "x86")).toBe(EPERM);
    expect(decide(profile, "socket", [1n], "x86")).toBe(SECCOMP_RET_ALLOW);
    expect(decide(profile, "socket", [2n], "x86")).toBe(EPERM);
  });
});

describe("programs", () => {
  test("far jumps reach: hundreds of rules with arguments", () => {
    const names = [...syscallNumbers(architectures.x86_64).keys()].slice(0, 120);
    const rules = names.map((name, at) => allow(name, eq(0, at * 3), eq(1, 2n ** 40n + BigInt(at)), eq(2, at)));
    const profile: SeccompProfile = { ...profileOf(...rules), architectures: [] };
    const { program } = compileSeccomp(profile, "x86_64");
    expect(program.length / 8).toBeGreaterThan(600);
    const loaded = loadProgram(program);
    names.forEach((name, at) => {
      const number = syscallNumbers(architectures.x86_64).get(name) ?? -1;
      const call = { number, auditArch: architectures.x86_64.auditArch };
      const right = [BigInt(at * 3), 2n ** 40n + BigInt(at), BigInt(at)];
      expect(runProgram(loaded, { ...call, args: right }).action).toBe(SECCOMP_RET_ALLOW);
      expect(runProgram(loaded, { ...call, args: [right[0] ?? 0n, right[1] ?? 0n, 999n] }).action).toBe(EPERM);
    });
  });

  test("one call with many values tests its high word once", () => {
    const rules = Array.from({ length: 50 }, (_, value) => allow("personality", eq(0, value * 7)));
    const { program } = compileSeccomp({ ...profileOf(...rules), architectures: [] }, "x86_64");
    expect(program.length / 8).toBeLessThan(70);
  });

  test("are the same for the same profile", () => {
    const profile = profileOf(allow("read"), allow("socket", eq(0, 1)));
    expect(compileSeccomp(structuredClone(profile), "x86_64")).toEqual(compileSeccomp(profile, "x86_64"));
  });

  test("without rules the default is all there is", () => {
    const profile: SeccompProfile = { defaultAction: "SCMP_ACT_ALLOW" };
    expect(compileSeccomp(profile, "x86_64").program.length / 8).toBeLessThan(10);
    expect(decide(profile, "read", [])).toBe(SECCOMP_RET_ALLOW);
    expect(decide(profile, "read", [], "x86")).toBe(0); // not listed: killed
  });

  test("names that no architecture here has are reported", () => {
    const profile = profileOf(allow("read"), allow("s390_runtime_instr"), allow("nope"));
    expect(unknownCalls(profile, "x86_64")).toEqual(["s390_runtime_instr", "nope"]);
  });
});

describe("flags", () => {
  const flagsOf = (profile: Partial<SeccompProfile>) =>
    compileSeccomp({ defaultAction: "SCMP_ACT_ALLOW", ...profile }, "x86_64").flags;

  test("none given is SPEC_ALLOW, an empty list is none", () => {
    expect(flagsOf({})).toBe(4);
    expect(flagsOf({ flags: [] })).toBe(0);
  });

  test("are those of seccomp(2), and NOTIFY brings a listener", () => {
    expect(flagsOf({ flags: ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"] })).toBe(3);
    expect(flagsOf({ flags: ["SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"] })).toBe(36);
    const syscalls = [{ names: ["mount"], action: "SCMP_ACT_NOTIFY" }];
    expect(flagsOf({ flags: [], syscalls })).toBe(8);
    expect(flagsOf({ flags: ["SECCOMP_FILTER_FLAG_TSYNC"], syscalls })).toBe(1 | 8 | 16);
  });
});

describe("what cannot be compiled is refused", () => {
  const compile = (profile: Partial<SeccompProfile>) => () =>
    compileSeccomp({ defaultAction: "SCMP_ACT_ERRNO", ...profile }, "x86_64");

  test.each([
    ["an action", { defaultAction: "DENY" }, 'invalid seccomp action "DENY": expected one of SCMP_ACT_KILL'],
    [
      "a number with an action that has none",
      { syscalls: [{ names: ["a"], action: "SCMP_ACT_ALLOW", errnoRet: 1 }] },
      "errnoRet",
    ],
    ["an architecture", { architectures: ["amd64"] }, 'invalid seccomp architecture "amd64": expected a name such as'],
    ["a flag", { flags: ["LOG"] }, 'invalid seccomp flag "LOG"'],
    [
      "an operator",
      { syscalls: [{ names: ["a"], action: "SCMP_ACT_ALLOW", args: [{ index: 0, value: 0, op: "==" }] }] },
      'invalid seccomp op "=="',
    ],
  ])("%s", (_name, profile, message) => {
    expect(compile(profile)).toThrow(message);
  });

  test("a program over the kernel's limit", () => {
    const names = [...syscallNumbers(architectures.x86_64).keys()];
    const syscalls = names.flatMap((name, at) =>
      [1, 2, 3, 4, 5].map((step) => allow(name, eq(0, at * 100 + step), eq(1, at * 2 ** 33 + step))),
    );
    expect(compile({ syscalls })).toThrow(/invalid seccomp profile "\d+ instructions": expected at most 4096/);
  });

  test("thousands of rules for one call", () => {
    const syscalls = Array.from({ length: 1001 }, (_, value) => allow("personality", eq(0, value)));
    expect(compile({ syscalls })).toThrow('"1001 conditional rules for one call": expected at most 1000');
  });

  test("architectures of other machines are no mistake", () => {
    expect(compile({ architectures: ["SCMP_ARCH_S390X", "SCMP_ARCH_ARM", "SCMP_ARCH_X86"] })).not.toThrow();
  });
});
