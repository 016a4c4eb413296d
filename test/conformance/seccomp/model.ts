/** What a profile means, said as plainly as possible: the third opinion when two compilers disagree. */

import { actionValue } from "../../../src/kernel/seccomp/action.ts";
import { type Architecture, syscallNumbers } from "../../../src/kernel/seccomp/architecture.ts";
import type { SeccompArgument, SeccompProfile, SeccompRule } from "../../../src/kernel/seccomp/profile.ts";
import type { SyscallData } from "./bpf-interpreter.ts";

/** Rules that name this call, in the profile's order, without those that only repeat the default. */
export function rulesFor(profile: SeccompProfile, architecture: Architecture, number: number): SeccompRule[] {
  const numbers = syscallNumbers(architecture);
  const normal = actionValue(profile.defaultAction, profile.defaultErrnoRet);
  return (profile.syscalls ?? []).filter(
    (rule) =>
      actionValue(rule.action, rule.errnoRet) !== normal && rule.names.some((name) => numbers.get(name) === number),
  );
}

/** The decision on a call whose rules all have one action. ENOSYS for newer calls and multiplexed ones are not modelled. */
export function decisionOf(profile: SeccompProfile, architecture: Architecture, call: SyscallData): number {
  const rule = rulesFor(profile, architecture, call.number).find((one) => holds(one, architecture, call));
  const { action, errnoRet } = rule ?? { action: profile.defaultAction, errnoRet: profile.defaultErrnoRet };
  return actionValue(action, errnoRet);
}

function holds({ args = [] }: SeccompRule, architecture: Architecture, call: SyscallData): boolean {
  const results = args.map((argument) => compare(argument, architecture, call));
  const repeats = new Set(args.map(({ index }) => index)).size < args.length;
  return repeats ? results.some(Boolean) : results.every(Boolean);
}

function compare(
  { index, op, value, valueTwo = 0 }: SeccompArgument,
  { wide }: Architecture,
  call: SyscallData,
): boolean {
  const cut = (number: number | bigint): bigint => BigInt.asUintN(wide ? 64 : 32, BigInt(number));
  const given = cut(call.args[index] ?? 0n);
  const wanted = cut(value);
  switch (op) {
    case "SCMP_CMP_NE":
      return given !== wanted;
    case "SCMP_CMP_LT":
      return given < wanted;
    case "SCMP_CMP_LE":
      return given <= wanted;
    case "SCMP_CMP_EQ":
      return given === wanted;
    case "SCMP_CMP_GE":
      return given >= wanted;
    case "SCMP_CMP_GT":
      return given > wanted;
    case "SCMP_CMP_MASKED_EQ":
      return (given & wanted) === (cut(valueTwo) & wanted);
    default:
      throw new Error(`the model does not know ${op}`);
  }
}
