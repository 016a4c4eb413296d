/** Our default profile against Docker's: the same decision for every call, except for families of sockets that ours refuses. */

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO } from "../../../src/kernel/seccomp/action.ts";
import {
  type Architecture,
  architectures,
  type Machine,
  syscallNumbers,
} from "../../../src/kernel/seccomp/architecture.ts";
import { compileSeccomp, unknownCalls } from "../../../src/kernel/seccomp/compile.ts";
import { defaultSeccomp } from "../../../src/kernel/seccomp/default-profile.ts";
import { parseDockerSeccomp } from "../../../src/spec/docker-seccomp.ts";
import { parseSeccomp } from "../../../src/spec/seccomp.ts";
import { loadProgram, type Program, runProgram } from "./bpf-interpreter.ts";
import { numbersOf } from "./sample-calls.ts";

const reference = join(process.env["ORLOP_REFERENCE"] ?? "../shared/reference/data", "seccomp-default.json");
const hasReference = existsSync(reference);
if (!hasReference)
  console.log(`no comparison with Docker's profile: ${reference} is not here (it is no part of the repository)`);

const EPERM = SECCOMP_RET_ERRNO + 1;
const conditional =
  "SYS_ADMIN BPF PERFMON SYSLOG DAC_READ_SEARCH SYS_CHROOT SYS_PTRACE SYS_BOOT SYS_MODULE SYS_PACCT SYS_RAWIO SYS_TIME SYS_TTY_CONFIG SYS_NICE"
    .split(" ")
    .map((name) => `CAP_${name}`);
const sets = [[], ...conditional.map((name) => [name]), ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_BPF"], conditional];

/** Families, personalities, clone flags one by one, each also with something in the high word. */
const firstArguments: readonly bigint[] = [
  ...Array.from({ length: 66 }, (_, family) => BigInt(family)),
  ...Array.from({ length: 32 }, (_, bit) => 1n << BigInt(bit)),
  ...[8n, 0x20000n, 0x20008n, 0x20009n, 0xffff_ffffn, 0xffff_fffen, 0x7fff_ffffn, 0x7e02_0000n, 0x0001_1200n],
].flatMap((low) => [low, low | (1n << 32n), low | 0xffff_ffff_0000_0000n]);

function both(machine: Machine, capabilities: readonly string[]): { ours: Program; theirs: Program } {
  const names = new Set(capabilities);
  const kernel = { major: 6, minor: 1 };
  const docker = parseDockerSeccomp(readFileSync(reference, "utf8"), { capabilities: names, machine, kernel });
  return {
    ours: loadProgram(compileSeccomp(defaultSeccomp({ capabilities: names, arch: machine }), machine).program),
    theirs: loadProgram(compileSeccomp(docker, machine).program),
  };
}

/** Whether this difference is meant: AF_ALG (38), AF_VSOCK (40) and families unknown to Docker's are refused; a family that does not exist is refused with another number. */
function isIntended(architecture: Architecture, number: number, first: bigint, ours: number, theirs: number): boolean {
  const low = Number(first & 0xffff_ffffn);
  const isSocket = syscallNumbers(architecture).get("socket") === number;
  return isSocket && (low === 38 || low === 40 || low >= 64) && theirs === SECCOMP_RET_ALLOW && ours === EPERM;
}

describe.skipIf(!hasReference)("the default profile and Docker's", () => {
  test.each(sets.map((set) => [set.join(" ") || "no capability that matters", set] as const))(
    "decide alike with %s",
    (_name, capabilities) => {
      const differences: string[] = [];
      const intended = new Set<string>();
      for (const machine of ["x86_64", "aarch64"] as const) {
        const { ours, theirs } = both(machine, capabilities);
        for (const architecture of Object.values(architectures).filter((known) => known.machine === machine)) {
          const { auditArch, name } = architecture;
          for (const number of numbersOf(architecture)) {
            for (const first of firstArguments) {
              if (!architecture.wide && name !== "x32" && first > 0xffff_ffffn) continue;
              // s390 alone has clone's flags second; the second argument matters to no rule here
              const call = { number, auditArch, args: [first, 0n] };
              const [we, they] = [runProgram(ours, call).action, runProgram(theirs, call).action];
              if (we === they) continue;
              if (isIntended(architecture, number, first, we, they))
                intended.add(`${name} socket ${first & 0xffff_ffffn}`);
              else differences.push(`${name} ${number}(${first}): 0x${we.toString(16)}, Docker 0x${they.toString(16)}`);
            }
          }
        }
      }
      expect(differences).toEqual([]);
      // Seen where an argument has 64 bits: Docker's rules let these through, ours do not.
      for (const name of ["x86_64", "aarch64"])
        for (const family of [38, 40, 64]) expect(intended).toContain(`${name} socket ${family}`);
    },
    60_000,
  );
});

describe("the default profile", () => {
  test.each(["x86_64", "aarch64"] as const)("is a valid OCI profile on %s", (arch) => {
    const profile = defaultSeccomp({ capabilities: new Set(), arch });
    expect(parseSeccomp(JSON.parse(JSON.stringify(profile)))).toEqual(profile);
  });

  test.each(["x86_64", "aarch64"] as const)("names only calls that exist on %s, or on another machine", (arch) => {
    const unknownNames = unknownCalls(defaultSeccomp({ capabilities: new Set(conditional), arch }), arch);
    const known = new Set(
      Object.values(architectures).flatMap((architecture) => [...syscallNumbers(architecture).keys()]),
    );
    // i386 has these through socketcall(2) alone
    expect(unknownNames.filter((name) => !known.has(name))).toEqual([]);
  });

  test("names no call twice for one set of capabilities, but for its conditions", () => {
    const { syscalls } = defaultSeccomp({ capabilities: new Set(), arch: "x86_64" });
    const names = syscalls.filter(({ args }) => args === undefined).flatMap((rule) => rule.names);
    expect(names.length).toBe(new Set(names).size);
  });

  test("refuses AF_ALG and AF_VSOCK whatever the high word says", () => {
    const { program } = compileSeccomp(defaultSeccomp({ capabilities: new Set(), arch: "x86_64" }), "x86_64");
    const loaded = loadProgram(program);
    const socket = (family: bigint): number =>
      runProgram(loaded, { number: 41, auditArch: architectures.x86_64.auditArch, args: [family] }).action;
    for (let family = 0n; family < 64n; family++) {
      const expected = family === 38n || family === 40n ? EPERM : SECCOMP_RET_ALLOW;
      for (const high of [0n, 1n << 32n, 0x8000_0000n << 32n]) expect(socket(family + high)).toBe(expected);
    }
  });

  test("an allowed call takes at most 12 instructions on average, and the program is far below the kernel's limit", () => {
    for (const machine of ["x86_64", "aarch64"] as const) {
      const { program } = compileSeccomp(defaultSeccomp({ capabilities: new Set(), arch: machine }), machine);
      const loaded = loadProgram(program);
      expect(program.length / 8).toBeLessThan(400);
      const costs = [...syscallNumbers(architectures[machine]).values()]
        .map((number) => runProgram(loaded, { number, auditArch: architectures[machine].auditArch, args: [] }))
        .filter(({ action }) => action === SECCOMP_RET_ALLOW)
        .map(({ instructions }) => instructions);
      expect(costs.length).toBeGreaterThan(250);
      expect(costs.reduce((sum, cost) => sum + cost, 0) / costs.length).toBeLessThan(12);
    }
  });

  test("calls newer than the profile get ENOSYS, numbers that never were a call get EPERM", () => {
    const { program } = compileSeccomp(defaultSeccomp({ capabilities: new Set(), arch: "x86_64" }), "x86_64");
    const loaded = loadProgram(program);
    const outcome = (number: number): number =>
      runProgram(loaded, { number, auditArch: architectures.x86_64.auditArch, args: [] }).action;
    for (const number of [467, 470, 5000, 0x3fff_ffff, 0x4000_0000 + 467, 0x4000_0000 + 548])
      expect(outcome(number)).toBe(SECCOMP_RET_ERRNO + 38);
    for (const number of [337, 400, 423, 0x4000_0000 + 59, 0x4000_0000 + 400]) expect(outcome(number)).toBe(EPERM);
  });
});
