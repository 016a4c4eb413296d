/** The architectures a filter can tell apart, and their system call numbers. */

import { syscallTables } from "./syscall-tables.ts";
import { words } from "./words.ts";

/** The kernel's own architecture. */
export type Machine = "x86_64" | "aarch64";

export type ArchitectureName = keyof typeof syscallTables;

export interface Architecture {
  readonly name: ArchitectureName;
  /** Its name in a profile. */
  readonly token: string;
  /** AUDIT_ARCH_*: `seccomp_data.arch` (linux/audit.h). x32 shares its machine's. */
  readonly auditArch: number;
  /** Added to each number of the table: x32 calls have bit 30 set. */
  readonly base: number;
  /** Arguments are compared as 64-bit values; otherwise by their low 32 bits, as libseccomp does (for x32 too). */
  readonly wide: boolean;
  /** The kernel that can run its programs. */
  readonly machine: Machine;
  /** Numbers [first, last] of architecture-specific calls, apart from those that grow with new kernels. */
  readonly own: readonly [first: number, last: number] | undefined;
}

/** Bit 30 of the number marks an x32 call (asm/unistd.h, __X32_SYSCALL_BIT). */
export const X32_SYSCALL_BIT = 0x40000000;

const AUDIT_ARCH_X86_64 = 0xc000003e;
const AUDIT_ARCH_I386 = 0x40000003;
const AUDIT_ARCH_AARCH64 = 0xc00000b7;
const AUDIT_ARCH_ARM = 0x40000028;

export const architectures: Readonly<Record<ArchitectureName, Architecture>> = {
  x86_64: {
    name: "x86_64",
    token: "SCMP_ARCH_X86_64",
    auditArch: AUDIT_ARCH_X86_64,
    base: 0,
    wide: true,
    machine: "x86_64",
    own: undefined,
  },
  x32: {
    name: "x32",
    token: "SCMP_ARCH_X32",
    auditArch: AUDIT_ARCH_X86_64,
    base: X32_SYSCALL_BIT,
    wide: false,
    machine: "x86_64",
    own: [512, 547], // calls that need a 32-bit translation; closed since 5.5
  },
  x86: {
    name: "x86",
    token: "SCMP_ARCH_X86",
    auditArch: AUDIT_ARCH_I386,
    base: 0,
    wide: false,
    machine: "x86_64",
    own: undefined,
  },
  aarch64: {
    name: "aarch64",
    token: "SCMP_ARCH_AARCH64",
    auditArch: AUDIT_ARCH_AARCH64,
    base: 0,
    wide: true,
    machine: "aarch64",
    own: undefined,
  },
  arm: {
    name: "arm",
    token: "SCMP_ARCH_ARM",
    auditArch: AUDIT_ARCH_ARM,
    base: 0,
    wide: false,
    machine: "aarch64",
    own: [0xf0000, 0xfffff], // __ARM_NR_BASE
  },
};

/** Architectures of other machines that a profile may name. Their calls cannot happen here. */
export const foreignTokens: ReadonlySet<string> = new Set(
  [
    ...["MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64", "MIPSEL64N32", "PPC", "PPC64", "PPC64LE", "S390", "S390X"],
    ...["PARISC", "PARISC64", "RISCV64", "LOONGARCH64", "M68K", "SH", "SHEB"],
  ].map((name) => `SCMP_ARCH_${name}`),
);

/** Name → number, `base` included, in the order of the numbers. */
export type SyscallNumbers = ReadonlyMap<string, number>;

const decoded = new Map<ArchitectureName, SyscallNumbers>();

export function syscallNumbers(architecture: Architecture): SyscallNumbers {
  const known = decoded.get(architecture.name);
  if (known !== undefined) return known;
  const numbers = new Map<string, number>();
  let next = architecture.base;
  for (const word of words(syscallTables[architecture.name])) {
    if (word >= "0" && word < ":") next = Number(word) + architecture.base;
    else numbers.set(word, next++);
  }
  decoded.set(architecture.name, numbers);
  return numbers;
}
