/** Profiles made by chance, within what libseccomp defines: one action per call, so that no two rules contradict. */

import { architectures, syscallNumbers } from "../../../src/kernel/seccomp/architecture.ts";
import type { SeccompArgument, SeccompProfile, SeccompRule } from "../../../src/kernel/seccomp/profile.ts";

type Random = (limit: number) => number;

const names = [
  ...new Set(Object.values(architectures).flatMap((architecture) => [...syscallNumbers(architecture).keys()])),
];
const actions: readonly Pick<SeccompRule, "action" | "errnoRet">[] = [
  { action: "SCMP_ACT_ALLOW" },
  { action: "SCMP_ACT_ERRNO" },
  { action: "SCMP_ACT_ERRNO", errnoRet: 38 },
  { action: "SCMP_ACT_ERRNO", errnoRet: 4094 },
  { action: "SCMP_ACT_TRACE", errnoRet: 7 },
  { action: "SCMP_ACT_KILL" },
  { action: "SCMP_ACT_KILL_PROCESS" },
  { action: "SCMP_ACT_TRAP" },
  { action: "SCMP_ACT_LOG" },
  { action: "SCMP_ACT_NOTIFY" },
];
const operators = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"].map((name) => `SCMP_CMP_${name}`);

/** Small numbers, one bit, all bits, a high word only: where comparisons of two words go wrong. */
function randomValue(random: Random): bigint {
  const shapes = [
    () => BigInt(random(8)),
    () => BigInt(random(2 ** 16)),
    () => 1n << BigInt(random(64)),
    () => 0xffff_ffffn,
    () => 0xffff_ffff_ffff_ffffn,
    () => BigInt(random(4)) << 32n,
    () => (BigInt(random(4)) << 32n) | BigInt(random(4)),
    () => (BigInt(random(2 ** 31)) << 32n) | BigInt(random(2 ** 31)),
  ];
  return shapes[random(shapes.length)]?.() ?? 0n;
}

function randomArguments(random: Random): SeccompArgument[] {
  return Array.from({ length: random(4) }, () => ({
    index: random(6),
    op: operators[random(operators.length)] ?? "SCMP_CMP_EQ",
    value: randomValue(random),
    valueTwo: randomValue(random),
  }));
}

export function randomProfile(random: Random): SeccompProfile {
  const pick = (): Pick<SeccompRule, "action" | "errnoRet"> =>
    actions[random(actions.length)] ?? { action: "SCMP_ACT_ALLOW" };
  const chosen = pick();
  const actionOf = new Map<string, Pick<SeccompRule, "action" | "errnoRet">>();
  const syscalls = Array.from({ length: 1 + random(40) }, (): SeccompRule => {
    const name = names[random(names.length)] ?? "read";
    const action = actionOf.get(name) ?? pick();
    actionOf.set(name, action);
    // The carriers of multiplexed calls get rules of those: more on the same argument could contradict them.
    const args = name === "socketcall" || name === "ipc" ? [] : randomArguments(random);
    return { names: [name], ...action, ...(args.length > 0 ? { args } : {}) };
  });
  return {
    defaultAction: chosen.action,
    ...(chosen.errnoRet === undefined ? {} : { defaultErrnoRet: chosen.errnoRet }),
    syscalls,
  };
}
