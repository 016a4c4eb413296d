/**
 * The container's process, from `pivot` to `execve`: identity, limits, privileges.
 *
 * The order matters. Loading a seccomp filter requires CAP_SYS_ADMIN or no_new_privileges: without the latter the filter is loaded before
 * the privileges are dropped, and the steps that drop them run under it, so as few steps as possible follow it.
 */

import { capabilityMask } from "../kernel/capabilities.ts";
import { rlimitNumber } from "../kernel/rlimits.ts";
import { compileSeccomp } from "../kernel/seccomp/compile.ts";
import type { Step } from "../kernel/step.ts";
import type { CapabilitySets, Linux, Process, Rlimit } from "../spec/runtime-spec.ts";
import type { HostFacts } from "./plan-container.ts";

const UNLIMITED = (1n << 64n) - 1n;

/** Everything about the process that needs no right it is about to lose, and the terminal or pipes. */
export function planProcess(process: Process, host: HostFacts, id: string): Step[] {
  return [
    { op: "keyring", name: id, why: "a session keyring of its own: the keys of whoever started it stay out of reach" },
    ...planLimits(process, host),
    ...planStdio(process, true),
    ...planPlace(process, true),
  ];
}

/** Its resource limits. */
export function planLimits(process: Process, host: HostFacts): Step[] {
  return [...(process.rlimits ?? []).map(planRlimit), ...planOomScore(process, host)];
}

/** @param makeDirectory make the working directory when it is missing */
export function planPlace(process: Process, makeDirectory: boolean): Step[] {
  return [
    { op: "umask", mask: process.user.umask ?? 0o022, why: "files it makes are not writable by others" },
    { op: "cwd", path: process.cwd, make: makeDirectory ? 1 : 0, why: "where the program starts" },
  ];
}

/** The last steps before the program. @param enter an exec's step after it has dropped its privileges */
export function planRights(
  process: Process,
  linux: Pick<Linux, "seccomp">,
  host: HostFacts,
  { gate, init, enter = [] }: { readonly gate: boolean; readonly init: boolean; readonly enter?: readonly Step[] },
): Step[] {
  const { user, capabilities = {} } = process;
  // Capabilities that even root lacks here cannot be given: "all" means all that exist.
  const mask = (set: keyof CapabilitySets) => capabilityMask(capabilities[set] ?? []) & host.capabilities;
  const filter = planSeccomp(linux, host);
  const wait: Step[] = gate
    ? [{ op: "gate", why: "wait here until its attached clients and its network are connected" }]
    : [];
  const identity: Step[] = [
    { op: "bounding", mask: mask("bounding"), why: "these capabilities no program in it can ever get back" },
    {
      op: "user",
      uid: user.uid,
      gid: user.gid,
      groups: (user.additionalGids ?? []).map(String),
      why: "the user that it runs as; the groups of whoever started it are given up",
    },
    {
      op: "capabilities",
      effective: mask("effective"),
      permitted: mask("permitted"),
      inheritable: mask("inheritable"),
      ambient: mask("ambient"),
      why: "what it may do beyond its user's rights",
    },
  ];
  const last = [init ? planInit(process) : planProgram(process)];
  const [before, behind] = enter.length === 0 ? [wait, []] : [[], [...enter, ...wait]];
  if (process.noNewPrivileges === true)
    return [
      ...before,
      { op: "no-new-privileges", why: "set-user-ID programs gain nothing (no-new-privileges)" },
      ...identity,
      ...behind,
      ...filter,
      ...last,
    ];
  return [...before, ...filter, ...identity, ...behind, ...last];
}

function planProgram({ args, env = [] }: Process): Step {
  return { op: "exec", argv: args, env, why: "the program itself: nothing of Orlop is left in it" };
}

/** As Docker's is called: it is what people look for in lists of processes. */
function planInit({ args, env = [] }: Process): Step {
  return {
    op: "init",
    argv: ["/sbin/docker-init", "--", ...args],
    program: args,
    env,
    why: "an init that passes signals on and reaps processes (--init), and the program as its child",
  };
}

export function planRlimit(rlimit: Rlimit): Step {
  return {
    op: "rlimit",
    resource: rlimitNumber(rlimit.type),
    soft: limitValue(rlimit.soft),
    hard: limitValue(rlimit.hard),
    why: `${rlimit.type} was asked for`,
  };
}

/** RLIM_INFINITY is the largest number, which JSON's doubles cannot hold exactly. */
function limitValue(value: number): bigint {
  return value < 0 || value > Number.MAX_SAFE_INTEGER ? UNLIMITED : BigInt(value);
}

function planOomScore(process: Process, host: HostFacts): Step[] {
  if (process.oomScoreAdj === undefined || process.oomScoreAdj === host.oomScoreAdj) return [];
  return [
    {
      op: "oom-score",
      score: String(process.oomScoreAdj),
      why: "how soon it is chosen when the host runs out of memory",
    },
  ];
}

/** @param isConsole its terminal is the container's /dev/console */
export function planStdio({ terminal, consoleSize, user }: Process, isConsole: boolean): Step[] {
  if (terminal !== true)
    return [
      {
        op: "attach-stdio",
        uid: user.uid,
        gid: user.gid,
        why: "its input and output: pipes that its user may open again",
      },
    ];
  return [
    {
      op: "terminal",
      rows: consoleSize?.height ?? 0,
      columns: consoleSize?.width ?? 0,
      uid: user.uid,
      console: isConsole ? 1 : 0,
      why: isConsole
        ? "a terminal of its own devpts, which is also its /dev/console"
        : "a terminal of the container's devpts",
    },
  ];
}

function planSeccomp(linux: Pick<Linux, "seccomp">, host: HostFacts): Step[] {
  if (linux.seccomp === undefined) return [];
  const { program, flags } = compileSeccomp(linux.seccomp, host.architecture);
  return [{ op: "seccomp", flags, program, why: "system calls that a container has no business with fail" }];
}
