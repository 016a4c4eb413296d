/** Filters on the real kernel: each action is seen to act, and the default profile refuses what it should. */

import { expect } from "bun:test";
import { join } from "node:path";
import { capabilityMask, defaultCapabilities } from "../../src/kernel/capabilities.ts";
import { type ArchitectureName, architectures, syscallNumbers } from "../../src/kernel/seccomp/architecture.ts";
import { compileSeccomp } from "../../src/kernel/seccomp/compile.ts";
import { defaultSeccomp } from "../../src/kernel/seccomp/default-profile.ts";
import type { SeccompProfile, SeccompRule } from "../../src/kernel/seccomp/profile.ts";
import { type Bare, runChild } from "./child.ts";
import { kernelTest, type Need, type Scratch } from "./harness.ts";

const needs: readonly Need[] = ["root", "executor", "seccomp", "gcc"];
const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
const isX86 = machine === "x86_64";
const EPERM = "errno 1";
const ENOSYS = "errno 38";
const SIGSYS = "signal 31";

/** Calls as the probe takes them: by the number that the name has, 32 for int 0x80. */
function call(name: string | number, ...args: readonly (number | bigint)[]): string {
  return callOn(machine, name, ...args);
}
function callOn(on: ArchitectureName, name: string | number, ...args: readonly (number | bigint)[]): string {
  const number = typeof name === "number" ? name : syscallNumbers(architectures[on]).get(name);
  if (number === undefined) throw new Error(`${on} has no ${name}`);
  return [on === "x86" ? 32 : 64, number, ...args].join(":");
}

/** A call and what becomes of it. */
type Expectation = readonly [call: string, outcome: string];

/** Makes the calls below the filter. */
async function check(scratch: Scratch, profile: SeccompProfile, expected: readonly Expectation[]): Promise<void> {
  const outcomes = await probe(
    scratch,
    profile,
    expected.map(([made]) => made),
  );
  expect(outcomes.map((outcome, at) => [expected[at]?.[0], outcome])).toEqual(
    expected.map(([made, outcome]) => [made, outcome]),
  );
}

async function probe(scratch: Scratch, profile: SeccompProfile, calls: readonly string[]): Promise<string[]> {
  const program = join(scratch.directory, "seccomp-probe");
  const source = join(import.meta.dir, "seccomp-probe.c");
  const { success, stderr } = Bun.spawnSync(["gcc", "-O1", "-static", "-o", program, source]);
  if (!success) throw new Error(`the probe does not compile: ${stderr}`);
  const filter = compileSeccomp(profile, machine);
  const mask = capabilityMask(defaultCapabilities);
  const steps: Bare[] = [
    { op: "bounding", mask },
    // Loading a filter without no_new_privileges takes CAP_SYS_ADMIN: first the filter, then the capabilities.
    { op: "seccomp", flags: filter.flags, program: filter.program },
    { op: "user", uid: 0, gid: 0, groups: [] },
    { op: "capabilities", effective: mask, permitted: mask, inheritable: 0, ambient: 0 },
  ];
  const { output } = await runChild({ steps, run: ["/bin/sh", "-c", `exec "$0" "$@" 1>&2`, program, ...calls] });
  return output.trim().split("\n");
}

kernelTest(
  "the default profile refuses what a container has no business with, and nothing else",
  needs,
  async (scratch) => {
    const profile = defaultSeccomp({ capabilities: new Set(defaultCapabilities), arch: machine });
    const high = 1n << 32n;
    const expected: Expectation[] = [
      [call("getpid"), "ok"],
      [call("keyctl", 0, -3n & 0xffff_ffffn), EPERM],
      [call("add_key"), EPERM],
      [call("mount"), EPERM],
      [call("unshare", 0x1000_0000), EPERM],
      [call("clone", 0x1000_0000), EPERM],
      [call("clone3", 0, 0), ENOSYS],
      [call("bpf", 0, 0, 0), EPERM],
      [call("io_uring_setup", 1, 0), EPERM],
      [call("userfaultfd", 0), EPERM],
      [call("open_tree_attr"), ENOSYS],
      [call(5000), ENOSYS],
      [call("socket", 2, 1, 0), "ok"],
      [call("socket", high + 2n, 1, 0), "ok"],
      // AF_ALG and AF_VSOCK, also with something in the half that the kernel does not read
      ...[38n, 40n].flatMap((family) =>
        [0n, high, 0xffff_ffffn << 32n].map((more) => [call("socket", family + more, 5, 0), EPERM] as const),
      ),
      [call("personality", 0xffff_ffff), "ok"],
      [call("personality", 0x4_0000), EPERM], // ADDR_NO_RANDOMIZE
    ];
    await check(scratch, profile, expected);
  },
);

if (isX86)
  kernelTest("the default profile holds for i386 and x32 calls too", needs, async (scratch) => {
    const profile = defaultSeccomp({ capabilities: new Set(defaultCapabilities), arch: machine });
    const expected: Expectation[] = [
      [callOn("x86", "getpid"), "ok"],
      [callOn("x86", "socket", 2, 1, 0), "ok"],
      [callOn("x86", "socket", 40, 1, 0), EPERM],
      [callOn("x86", "keyctl"), EPERM],
      [callOn("x86", "mount"), EPERM],
      [callOn("x86", "clone3"), ENOSYS],
      [callOn("x86", 5000), ENOSYS],
      [callOn("x32", "keyctl"), EPERM],
      [callOn("x32", "unshare", 0x1000_0000), EPERM],
    ];
    await check(scratch, profile, expected);
  });

kernelTest("each action acts", needs, async (scratch) => {
  const rule = (name: string, action: string, more: Partial<SeccompRule> = {}): SeccompRule => ({
    names: [name],
    action,
    ...more,
  });
  const profile: SeccompProfile = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [
      rule("sysinfo", "SCMP_ACT_ERRNO"),
      rule("times", "SCMP_ACT_ERRNO", { errnoRet: 95 }),
      rule("sched_getscheduler", "SCMP_ACT_KILL"),
      rule("getitimer", "SCMP_ACT_KILL_PROCESS"),
      rule("getpriority", "SCMP_ACT_TRAP"),
      rule("mincore", "SCMP_ACT_TRACE", { errnoRet: 7 }),
      rule("sched_getparam", "SCMP_ACT_LOG"),
      rule("personality", "SCMP_ACT_ERRNO", {
        errnoRet: 71,
        args: [{ index: 0, op: "SCMP_CMP_GT", value: 0x1_0000_0000n }],
      }),
    ],
  };
  const trapped = syscallNumbers(architectures[machine]).get("getpriority");
  const expected: Expectation[] = [
    [call("sysinfo"), EPERM],
    [call("times"), "errno 95"],
    [call("sched_getscheduler"), SIGSYS],
    [call("getitimer"), SIGSYS],
    [call("getpriority"), `trap ${trapped}`],
    [call("mincore", 0), ENOSYS], // nobody traces: linux/seccomp.h, SECCOMP_RET_TRACE
    [call("sched_getparam", 0), "errno 22"], // logged and carried out: there is no place for the answer,
    [call("personality", 0xffff_ffff), "ok"],
    [call("personality", 0x1_ffff_ffffn), "errno 71"],
    // i386 is not listed: killed, whatever the call
    ...(isX86 ? [[callOn("x86", "getpid"), SIGSYS] as const] : []),
    [call("getpid"), "ok"],
  ];
  await check(scratch, profile, expected);
});

kernelTest("flags that the kernel has are taken: LOG, SPEC_ALLOW and TSYNC together", needs, async (scratch) => {
  const flags = ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"];
  const profile: SeccompProfile = {
    defaultAction: "SCMP_ACT_ALLOW",
    flags,
    syscalls: [{ names: ["sysinfo"], action: "SCMP_ACT_ERRNO" }],
  };
  await check(scratch, profile, [
    [call("sysinfo"), EPERM],
    [call("getpid"), "ok"],
  ]);
});
