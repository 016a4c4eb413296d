/** Our compiler against libseccomp: the same decision for every call of every architecture. */

import { afterAll, describe, expect, test } from "bun:test";
import { ENOSYS, SECCOMP_RET_ERRNO } from "../../../src/kernel/seccomp/action.ts";
import {
  type Architecture,
  type ArchitectureName,
  architectures,
  type Machine,
  syscallNumbers,
} from "../../../src/kernel/seccomp/architecture.ts";
import { compileSeccomp } from "../../../src/kernel/seccomp/compile.ts";
import { defaultSeccomp } from "../../../src/kernel/seccomp/default-profile.ts";
import type { SeccompProfile } from "../../../src/kernel/seccomp/profile.ts";
import { loadProgram, runProgram, type SyscallData } from "./bpf-interpreter.ts";
import { decisionOf, rulesFor } from "./model.ts";
import { forOracle, Oracle, oracleNeeds } from "./oracle.ts";
import { randomProfile } from "./random-profile.ts";
import { edgesOf, sampleCalls, seeded } from "./sample-calls.ts";

/** How many random profiles per set of architectures. */
const profileCount = Number(process.env["ORLOP_SECCOMP_PROFILES"] ?? 20);

const missing = oracleNeeds();
const isCi = process.env["CI"] === "true";
if (missing !== undefined) console.log(`no comparison with libseccomp: this machine lacks ${missing}`);
const oracle = missing === undefined || isCi ? new Oracle() : undefined;
afterAll(() => oracle?.[Symbol.dispose]());

const sets: readonly (readonly [Machine, readonly ArchitectureName[]])[] = [
  ["x86_64", ["x86_64", "x86", "x32"]],
  ["x86_64", ["x86_64", "x86"]],
  ["x86_64", ["x86_64"]],
  ["aarch64", ["aarch64", "arm"]],
  ["aarch64", ["aarch64"]],
];

/** What runc would put in front of libseccomp's filter: ENOSYS from the number after the largest that is named. */
function newerFrom(profile: SeccompProfile, { name, base }: Architecture): number {
  const permissive = ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"].includes(profile.defaultAction);
  if (permissive || (profile.defaultAction === "SCMP_ACT_ERRNO" && profile.defaultErrnoRet === ENOSYS)) return 2 ** 32;
  const numbers = (profile.syscalls ?? [])
    .flatMap((rule) => rule.names.map((call) => syscallNumbers(architectures[name]).get(call)))
    .filter((number) => number !== undefined)
    .filter((number) => number - base < 500);
  return numbers.length === 0 ? 2 ** 32 : Math.max(...numbers) + 1;
}

function isOwnBlock({ name, base }: Architecture, number: number): boolean {
  if (name === "x32") return number >= base + 512 && number <= base + 547;
  return name === "arm" && number >= 0xf0000 && number <= 0xfffff;
}

/**
 * Whether libseccomp's word counts. It merges rules of one call that overlap on one argument into a tree that no longer
 * means either: `a3 < 3` or `a3 <= 0x100000000` refuses a3 = 0x400000 (2.5.4; `model.ts` and ours agree that it holds).
 */
function isOracleRight(profile: SeccompProfile, architecture: Architecture, number: number): boolean {
  const rules = rulesFor(profile, architecture, number);
  const conditions = rules.flatMap(({ args = [] }) => args);
  const alternatives = rules.length > 1 || new Set(conditions.map(({ index }) => index)).size < conditions.length;
  return !alternatives || conditions.every(({ op }) => op === "SCMP_CMP_EQ" || op === "SCMP_CMP_MASKED_EQ");
}

/** socketcall and ipc of i386: more rules than those that name them. libseccomp compares what is no argument of the call. */
const isMultiplexer = ({ name }: Architecture, number: number): boolean =>
  name === "x86" && (number === 102 || number === 117);

/** Calls that were tried, and those of them where libseccomp's word counted. */
let asked = 0;
let heard = 0;

/** The calls on which libseccomp or the model decides differently, at most a few. */
function disagreements(
  profile: SeccompProfile,
  [machine, names]: readonly [Machine, readonly ArchitectureName[]],
  calls: (architecture: Architecture) => Iterable<SyscallData>,
): string[] {
  const listed = { ...profile, architectures: names.map((name) => architectures[name].token) };
  const ours = loadProgram(compileSeccomp(listed, machine).program);
  const theirs = loadProgram((oracle as Oracle).compile(profile, names));
  const found: string[] = [];
  for (const architecture of names.map((name) => architectures[name])) {
    const newer = newerFrom(profile, architecture);
    for (const call of calls(architecture)) {
      asked++;
      const we = runProgram(ours, call).action;
      const isNewer = call.number >= newer && !isOwnBlock(architecture, call.number);
      const opinions: [string, number][] = [];
      const they = runProgram(theirs, call);
      if (isNewer) opinions.push(["newer calls get ENOSYS", SECCOMP_RET_ERRNO + ENOSYS]);
      else if (!isMultiplexer(architecture, call.number)) {
        opinions.push(["the model", decisionOf(profile, architecture, call)]);
        // For a few profiles libseccomp 2.5.4 forgets to load the number, and compares the architecture with it.
        if (isOracleRight(profile, architecture, call.number) && they.sawNumber) {
          opinions.push(["libseccomp", they.action]);
          heard++;
        }
      }
      for (const [who, opinion] of opinions)
        if (we !== opinion)
          found.push(
            `${architecture.name} ${call.number}(${call.args}): 0x${we.toString(16)}, ${who} 0x${opinion.toString(16)}`,
          );
      if (found.length > 5) return found;
    }
  }
  return found;
}

describe.skipIf(oracle === undefined)("our programs and libseccomp's decide alike", () => {
  test.each(sets)("for the default profile on %s with %p", (machine, names) => {
    const everything = new Set(["CAP_SYS_ADMIN", "CAP_SYS_TIME", "CAP_BPF"]);
    for (const capabilities of [new Set<string>(), everything]) {
      const profile = forOracle(defaultSeccomp({ capabilities, arch: machine }));
      const edges = edgesOf(profile);
      expect(disagreements(profile, [machine, names], (one) => sampleCalls(one, edges, 8, seeded(1)))).toEqual([]);
    }
  });

  test.each(sets)(
    `for ${profileCount} random profiles on %s with %p`,
    (machine, names) => {
      for (let seed = 1; seed <= profileCount; seed++) {
        const random = seeded(seed);
        const profile = forOracle(randomProfile(random));
        const edges = edgesOf(profile);
        const found = disagreements(profile, [machine, names], (one) => sampleCalls(one, edges, 6, random));
        const shown = JSON.stringify(profile, (_, value) =>
          typeof value === "bigint" ? `0x${value.toString(16)}` : value,
        );
        expect({ seed, found, profile: found.length > 0 ? shown : "" }).toEqual({ seed, found: [], profile: "" });
      }
    },
    120_000,
  );

  test("for calls of architectures that the profile does not list, and for numbers that are no calls", () => {
    const profile = forOracle(defaultSeccomp({ capabilities: new Set(), arch: "x86_64" }));
    const foreign = (auditArch: number): Iterable<SyscallData> =>
      [0, 1, 59, 0x3fff_ffff, 0x4000_0000, 0x4000_0001, 0xffff_fffe, 0xffff_ffff].map((number) => ({
        number,
        auditArch,
        args: [],
      }));
    for (const auditArch of [0, 0x4000_0003, 0xc000_00b7, 0xc000_003e]) {
      const ours = loadProgram(compileSeccomp({ ...profile, architectures: [] }, "x86_64").program);
      const theirs = loadProgram((oracle as Oracle).compile(profile, ["x86_64"]));
      for (const call of foreign(auditArch)) {
        if (auditArch === 0xc000_003e && call.number === 0x3fff_ffff) continue; // newer: ENOSYS, above
        expect([call, runProgram(ours, call).action]).toEqual([call, runProgram(theirs, call).action]);
      }
    }
  });

  test("with libseccomp's word counting for nearly all of them", () => {
    expect(asked).toBeGreaterThan(100_000);
    expect(heard / asked).toBeGreaterThan(0.8);
  });
});
