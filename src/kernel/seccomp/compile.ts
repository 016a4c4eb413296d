/**
 * A seccomp profile as a classic BPF program for seccomp(2).
 *
 * The program checks the architecture, finds the call's number by binary search, and compares arguments where a rule has
 * conditions. It uses only what the kernel's own emulator understands (ld, and, jumps, ret: kernel/seccomp.c,
 * seccomp_is_const_allow), so that since 5.11 calls that are always allowed cost nothing at all.
 */

import { OrlopError } from "../../base/errors.ts";
import { SECCOMP_RET_KILL_THREAD } from "./action.ts";
import {
  type Architecture,
  architectures,
  foreignTokens,
  type Machine,
  syscallNumbers,
  X32_SYSCALL_BIT,
} from "./architecture.ts";
import { ArgumentFilter } from "./argument-filter.ts";
import { always, type Decision, decide, parseRule } from "./decision.ts";
import { filterFlags } from "./filter-flags.ts";
import { type NumberRange, numberRanges } from "./number-ranges.ts";
import { buildNumberTree } from "./number-tree.ts";
import type { SeccompProfile } from "./profile.ts";
import { JEQ, ProgramBuilder, type Target } from "./program-builder.ts";

export interface CompiledSeccomp {
  /** An array of `struct sock_filter`. */
  readonly program: Uint8Array;
  /** SECCOMP_FILTER_FLAG_*, for seccomp(2). */
  readonly flags: number;
}

/** struct seccomp_data. */
const NUMBER_OFFSET = 0;
const ARCH_OFFSET = 4;

/** linux/bpf_common.h, BPF_MAXINSNS. */
const INSTRUCTIONS_MAX = 4096;
/** Conditional rules for one call: more cannot fit a program, and the builder recurses over them. */
const RULES_PER_CALL_MAX = 1000;

/** A call of an architecture that the profile does not list: libseccomp's default, which runc keeps. */
const BAD_ARCHITECTURE = SECCOMP_RET_KILL_THREAD;

/** By profile, while that exists: the default profile of a set of capabilities is compiled once. */
const compiled = new WeakMap<SeccompProfile, Map<Machine, CompiledSeccomp>>();

/**
 * The program for this profile; the same object gives the same program.
 *
 * @param machine  what the kernel runs on; its own architecture is filtered even when the profile does not list it
 * @throws {OrlopError} bad_value
 */
export function compileSeccomp(profile: SeccompProfile, machine: Machine): CompiledSeccomp {
  const ofProfile = compiled.get(profile) ?? new Map<Machine, CompiledSeccomp>();
  const program = ofProfile.get(machine) ?? compile(profile, machine);
  compiled.set(profile, ofProfile.set(machine, program));
  return program;
}

function compile(profile: SeccompProfile, machine: Machine): CompiledSeccomp {
  const rules = (profile.syscalls ?? []).map(parseRule);
  const listed = listedArchitectures(profile, machine);
  const builder = new ProgramBuilder();
  let entry = builder.ret(BAD_ARCHITECTURE);
  for (const auditArch of [...new Set(listed.map((architecture) => architecture.auditArch))].reverse()) {
    const sharing = listed.filter((architecture) => architecture.auditArch === auditArch);
    const ranges = sharing.flatMap((architecture) => {
      const decisions = decide(profile, rules, architecture);
      const alone = architecture.name === "x86_64" && sharing.length === 1;
      return [...numberRanges(decisions, architecture), ...(alone ? withoutX32(decisions.otherwise) : [])];
    });
    const tree = buildNumberTree(builder, ranges, decisionTargets(builder));
    entry = builder.jump(JEQ, auditArch, builder.load(NUMBER_OFFSET, tree), entry);
  }
  const program = builder.finish(builder.load(ARCH_OFFSET, entry));
  if (builder.length > INSTRUCTIONS_MAX)
    refuseSize(`${builder.length} instructions`, `${INSTRUCTIONS_MAX} (BPF_MAXINSNS)`);
  return { program, flags: filterFlags(profile) };
}

function refuseSize(value: string, most: string): never {
  throw OrlopError.of("bad_value", { what: "seccomp profile", value, expected: `at most ${most}` });
}

/** The machine's own first. */
function listedArchitectures(profile: SeccompProfile, machine: Machine): Architecture[] {
  const wanted = profile.architectures ?? [];
  for (const token of wanted) {
    if (foreignTokens.has(token) || Object.values(architectures).some((known) => known.token === token)) continue;
    const expected = `a name such as ${Object.values(architectures)
      .map((known) => known.token)
      .join(", ")}`;
    throw OrlopError.of("bad_value", { what: "seccomp architecture", value: token, expected });
  }
  return Object.values(architectures).filter(
    (known) => known.machine === machine && (known.name === machine || wanted.includes(known.token)),
  );
}

/**
 * x86-64 without x32: its calls are of an architecture that is not listed. 2^32-1 is no call: it is what a tracer sets to
 * skip one, and gets the default, as in libseccomp.
 */
function withoutX32(otherwise: Decision): NumberRange[] {
  return [
    { first: X32_SYSCALL_BIT, decision: always(BAD_ARCHITECTURE), wide: true, weight: 0 },
    { first: 0xffff_ffff, decision: otherwise, wide: true, weight: 0 },
  ];
}

/** Builds decisions. Decisions on arguments are built once for all calls that share them. */
function decisionTargets(builder: ProgramBuilder): (range: NumberRange) => Target {
  const built = new Map<string, Target>();
  return ({ decision, wide }) => {
    if (decision.rules.length === 0) return builder.ret(decision.action);
    if (decision.rules.length > RULES_PER_CALL_MAX)
      refuseSize(`${decision.rules.length} conditional rules for one call`, String(RULES_PER_CALL_MAX));
    const key = `${wide} ${keyOf(decision)}`;
    const target = built.get(key) ?? new ArgumentFilter(builder, wide).build(decision);
    built.set(key, target);
    return target;
  };
}

function keyOf(decision: Decision): string {
  return JSON.stringify(decision, (_, value: unknown) => (typeof value === "bigint" ? value.toString(16) : value));
}

/** Names in the profile that none of its architectures has on this machine: they have no effect, as in runc. */
export function unknownCalls(profile: SeccompProfile, machine: Machine): string[] {
  const listed = listedArchitectures(profile, machine).map(syscallNumbers);
  const names = new Set((profile.syscalls ?? []).flatMap((rule) => rule.names));
  return [...names].filter((name) => !listed.some((numbers) => numbers.has(name)));
}
