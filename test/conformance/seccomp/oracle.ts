/** Programs that libseccomp makes of a profile, for any of our architectures: what ours are compared with. */

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { actionValue } from "../../../src/kernel/seccomp/action.ts";
import { type ArchitectureName, architectures, syscallNumbers } from "../../../src/kernel/seccomp/architecture.ts";
import type { SeccompArgument, SeccompProfile, SeccompRule } from "../../../src/kernel/seccomp/profile.ts";

/** What is missing here, or undefined. */
export function oracleNeeds(): string | undefined {
  if (Bun.which("cc") === null) return "a C compiler (apt-get install gcc)";
  return existsSync("/usr/include/seccomp.h") ? undefined : "libseccomp's headers (apt-get install libseccomp-dev)";
}

/** Calls that libseccomp 2.5.4 (Debian 12) has no name for: Linux 6.5 and later, and arm's second name for one. */
const unknownToOracle: ReadonlySet<string> = new Set([
  ...[...syscallNumbers(architectures.x86_64)].filter(([, number]) => number > 450).map(([name]) => name),
  ...["uretprobe", "uprobe", "sync_file_range2"],
]);

/** The profile without names that libseccomp does not know. */
export function forOracle(profile: SeccompProfile): SeccompProfile {
  const syscalls = (profile.syscalls ?? []).map((rule) => ({
    ...rule,
    names: rule.names.filter((name) => !unknownToOracle.has(name)),
  }));
  return { ...profile, syscalls };
}

/** `enum scmp_compare`. */
const operators = [
  "",
  "SCMP_CMP_NE",
  "SCMP_CMP_LT",
  "SCMP_CMP_LE",
  "SCMP_CMP_EQ",
  "SCMP_CMP_GE",
  "SCMP_CMP_GT",
  "SCMP_CMP_MASKED_EQ",
];

export class Oracle implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), "orlop-oracle-"));
  readonly #program = join(this.#directory, "oracle");

  constructor() {
    const argv = ["cc", "-O1", "-o", this.#program, join(import.meta.dir, "oracle.c"), "-lseccomp"];
    const { success, stderr } = Bun.spawnSync(argv);
    if (!success) throw new Error(`the oracle does not compile: ${stderr}`);
  }

  /** libseccomp's program, after runc's reading of the profile. */
  compile(profile: SeccompProfile, names: readonly ArchitectureName[]): Uint8Array {
    const defaultAction = actionValue(profile.defaultAction, profile.defaultErrnoRet);
    const lines = [`default ${defaultAction}`, ...names.map((name) => `arch ${name}`)];
    for (const rule of profile.syscalls ?? []) {
      const action = actionValue(rule.action, rule.errnoRet);
      if (action === defaultAction) continue;
      for (const name of rule.names)
        for (const args of conjunctions(rule)) lines.push(`rule ${action} ${name}${args.map(argumentText).join("")}`);
    }
    const { stdout, stderr, success } = Bun.spawnSync([this.#program], { stdin: Buffer.from(`${lines.join("\n")}\n`) });
    if (!success) throw new Error(`libseccomp: ${stderr}`);
    return stdout;
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true });
  }
}

/** As runc: two conditions on one argument make each of the rule's conditions a rule of its own. */
function conjunctions({ args = [] }: SeccompRule): (readonly SeccompArgument[])[] {
  const repeats = new Set(args.map(({ index }) => index)).size < args.length;
  return repeats ? args.map((one) => [one]) : [args];
}

function argumentText({ index, op, value, valueTwo = 0 }: SeccompArgument): string {
  return ` ${index} ${operators.indexOf(op)} ${value} ${valueTwo}`;
}
