/**
 * A seccomp profile as the OCI runtime specification writes it (config-linux.md, "Seccomp"). `src/spec/seccomp.ts` is the
 * door that checks a document; its values fit here without conversion.
 */

export interface SeccompProfile {
  /** SCMP_ACT_*: what happens to a call that no rule names. */
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  /** SCMP_ARCH_*; the machine's own is always included. */
  readonly architectures?: readonly string[];
  /** SECCOMP_FILTER_FLAG_*; missing means SPEC_ALLOW, as in runc. */
  readonly flags?: readonly string[];
  readonly syscalls?: readonly SeccompRule[];
}

/** What happens to calls of these names; with `args` only when all of them hold. */
export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArgument[];
}

/** `value` and `valueTwo` are unsigned 64-bit; of SCMP_CMP_MASKED_EQ they are the mask and what must be left. */
export interface SeccompArgument {
  readonly index: number;
  readonly value: number | bigint;
  readonly valueTwo?: number | bigint;
  readonly op: string;
}
