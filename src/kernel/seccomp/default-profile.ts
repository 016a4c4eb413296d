/**
 * The seccomp profile of a container that asks for none: Docker's decisions, but stricter about socket families.
 */

import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from "../linux.ts";
import { ENOSYS } from "./action.ts";
import type { Machine } from "./architecture.ts";
import { defaultCalls } from "./default-calls.ts";
import { words } from "./words.ts";

/** Fits `SeccompProfile` and the OCI type in `src/spec`. */
export interface DefaultProfile {
  readonly defaultAction: "SCMP_ACT_ERRNO";
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly DefaultRule[];
}

export interface DefaultRule {
  readonly names: readonly string[];
  readonly action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO";
  readonly errnoRet?: number;
  readonly args?: readonly DefaultArgument[];
}

interface DefaultArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: "SCMP_CMP_EQ" | "SCMP_CMP_MASKED_EQ";
}

export interface DefaultProfileInput {
  /** The container's bounding set: names as "CAP_SYS_ADMIN". */
  readonly capabilities: ReadonlySet<string>;
  readonly arch: Machine;
}

const EPERM = 1;
const LOW_WORD = 0xffff_ffff;

/** With the capability: these calls too. The kernel checks the capability itself; without it there is no use for the code. */
const withCapability: readonly { readonly capability: string; readonly calls: string; readonly reason: string }[] = [
  {
    capability: "CAP_SYS_ADMIN",
    calls: `mount umount umount2 mount_setattr move_mount open_tree fsopen fsconfig fsmount fspick`,
    reason: "mounting: how the container's walls are made",
  },
  {
    capability: "CAP_SYS_ADMIN",
    calls: "clone clone3 unshare setns sethostname setdomainname",
    reason: "namespaces of any kind; user namespaces open kernel code to everybody in them",
  },
  {
    capability: "CAP_SYS_ADMIN",
    calls: `bpf perf_event_open syslog quotactl quotactl_fd fanotify_init lookup_dcookie lsm_get_self_attr
      lsm_set_self_attr lsm_list_modules`,
    reason: "administration of the kernel; some of it has a smaller capability of its own below",
  },
  { capability: "CAP_BPF", calls: "bpf", reason: "programs in the kernel" },
  { capability: "CAP_PERFMON", calls: "perf_event_open", reason: "counters and traces of the whole machine" },
  { capability: "CAP_SYSLOG", calls: "syslog", reason: "the kernel's log has its addresses" },
  {
    capability: "CAP_DAC_READ_SEARCH",
    calls: "open_by_handle_at",
    reason: "opens any inode of a file system, inside the root or not",
  },
  {
    capability: "CAP_SYS_CHROOT",
    calls: "chroot",
    reason: "with a descriptor kept outside of the new root, a way out of it",
  },
  {
    capability: "CAP_SYS_PTRACE",
    calls: "kcmp pidfd_getfd process_madvise",
    reason: "look into other users' processes, and take their descriptors",
  },
  { capability: "CAP_SYS_BOOT", calls: "reboot", reason: "of the PID namespace, or of the machine" },
  { capability: "CAP_SYS_MODULE", calls: "init_module finit_module delete_module", reason: "code in the kernel" },
  { capability: "CAP_SYS_PACCT", calls: "acct", reason: "accounting writes to a file of the caller's choice" },
  { capability: "CAP_SYS_RAWIO", calls: "iopl ioperm", reason: "I/O ports of the machine" },
  {
    capability: "CAP_SYS_TIME",
    calls: "settimeofday stime clock_settime clock_settime64",
    reason: "the machine's clock",
  },
  { capability: "CAP_SYS_TTY_CONFIG", calls: "vhangup", reason: "ends everybody's use of a terminal" },
  {
    capability: "CAP_SYS_NICE",
    calls: "mbind get_mempolicy set_mempolicy set_mempolicy_home_node",
    reason: "placement on NUMA nodes tells and shifts load between tenants",
  },
];

/** Calls that one machine's programs need: segment registers and descriptor tables; cache maintenance and thread registers. */
const ofMachine: Readonly<Record<Machine, { readonly architectures: readonly string[]; readonly calls: string }>> = {
  x86_64: {
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    calls: "arch_prctl modify_ldt",
  },
  aarch64: {
    architectures: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
    calls: "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
  },
};

/** PER_LINUX, PER_LINUX32, UNAME26, both, and "tell me" (linux/personality.h): none weakens address randomisation. */
const PERSONALITIES = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/** Namespaces that clone(2) can make. CLONE_NEWTIME is not among them: its bit is part of clone's signal number. */
const NAMESPACE_FLAGS =
  CLONE_NEWNS + CLONE_NEWCGROUP + CLONE_NEWUTS + CLONE_NEWIPC + CLONE_NEWUSER + CLONE_NEWPID + CLONE_NEWNET;

/** Protocol families (linux/socket.h), each end included; AF_MAX is below 64. */
const FAMILIES: readonly (readonly [first: number, last: number])[] = [
  [0, 37],
  // 38, AF_ALG: a way to crypto code in the kernel that has had one root exploit after the other
  [39, 39],
  // 40, AF_VSOCK: talks to the hypervisor past every network namespace
  [41, 63],
];

/** The profile for a container with these capabilities on this kind of machine. */
export function defaultSeccomp({ capabilities, arch }: DefaultProfileInput): DefaultProfile {
  const groups = withCapability.filter(({ capability }) => capabilities.has(capability)).map(({ calls }) => calls);
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: EPERM,
    architectures: ofMachine[arch].architectures,
    syscalls: [
      ...[...Object.values(defaultCalls), ...groups, ofMachine[arch].calls].map(allow),
      ...FAMILIES.flatMap(([first, last]) => socketFamilies(first, last)),
      ...PERSONALITIES.map((value) => allowWhen("personality", { index: 0, value, op: "SCMP_CMP_EQ" })),
      ...(capabilities.has("CAP_SYS_ADMIN") ? [] : threadsAndProcesses()),
    ],
  };
}

function allow(calls: string): DefaultRule {
  return { names: words(calls), action: "SCMP_ACT_ALLOW" };
}

function allowWhen(name: string, argument: DefaultArgument): DefaultRule {
  return { names: [name], action: "SCMP_ACT_ALLOW", args: [argument] };
}

/** clone() without namespaces. clone3() keeps its flags behind a pointer: ENOSYS makes the C library fall back to clone(). */
function threadsAndProcesses(): DefaultRule[] {
  return [
    allowWhen("clone", { index: 0, value: NAMESPACE_FLAGS, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }),
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
  ];
}

/**
 * socket() with a family in this range, by the low 32 bits as the kernel reads them: a comparison of all 64 lets
 * socket(0x100000028) through as "greater than 40". Each rule covers an aligned block of 2^n families.
 */
function socketFamilies(first: number, last: number): DefaultRule[] {
  const rules: DefaultRule[] = [];
  for (let at = first; at <= last; ) {
    let size = 1;
    while (at % (2 * size) === 0 && at + 2 * size - 1 <= last) size *= 2;
    rules.push(allowWhen("socket", { index: 0, value: LOW_WORD - (size - 1), valueTwo: at, op: "SCMP_CMP_MASKED_EQ" }));
    at += size;
  }
  return rules;
}
