/**
 * Why a container did not end although it was killed: which processes are left, and where in the kernel each one waits.
 *
 * Only files of /proc that cannot block are read: not `cmdline` (the process's mmap_lock may be held), and `syscall` on another thread
 * only (it waits for an execve that is under way).
 */

import { readFile } from "node:fs/promises";
import { arch } from "node:os";
import { dirname } from "node:path";
import { hierarchyOf } from "../../kernel/cgroup/layout.ts";
import { architectures, syscallNumbers } from "../../kernel/seccomp/architecture.ts";
import { type Machine, readText } from "../machine.ts";
import { parentOf, readProc } from "../process-files.ts";
import { entriesIn, pidsIn } from "./group-processes.ts";

/** One thread that does not end. */
export interface StuckTask {
  readonly pid: number;
  readonly name: string;
  /** As in /proc/PID/status: "D (disk sleep)". */
  readonly state: string;
  /** The kernel function (wchan); "" if unknown. */
  readonly waitsIn: string;
  /** The system call's name; "" outside of one, or if unknown. */
  readonly call: string;
}

/** How many processes are examined, and how many the message names. */
const EXAMINED_MAX = 256;
const NAMED_MAX = 5;
const CALL_TIMEOUT_MS = 200;

/** The reason as one line for a message. @param initPid the container's first process, whose parent is the monitor */
export async function explainUnkillable(machine: Machine, groupPath: string, initPid: number): Promise<string> {
  const pids = pidsIn(machine.cgroups, groupPath).slice(0, EXAMINED_MAX);
  const stuck = pids.flatMap((pid) => stuckTaskOf(pid) ?? []).sort((a, b) => rank(a) - rank(b));
  const named = await Promise.all(stuck.slice(0, NAMED_MAX).map(withCall));
  return describe({
    named,
    more: stuck.length - named.length,
    frozenBy: frozenBy(machine, groupPath),
    monitor: monitorState(initPid),
  });
}

interface Findings {
  readonly named: readonly StuckTask[];
  readonly more: number;
  /** A cgroup that somebody froze; undefined: none, or cgroup v2, where SIGKILL ends frozen processes. */
  readonly frozenBy: string | undefined;
  /** The state of the monitor, if it is itself stopped or blocked. */
  readonly monitor: string | undefined;
}

function describe({ named, more, frozenBy, monitor }: Findings): string {
  const frozen = frozenBy === undefined ? [] : [`the group ${frozenBy} is frozen`];
  const tasks = named.map(({ pid, name, state, waitsIn, call }) => {
    const where = [call === "" ? "" : `in ${call}(2)`, waitsIn === "" ? "" : `waiting in ${waitsIn}`].filter(Boolean);
    return [`process ${pid} (${name}) is in state ${state}`, ...where].join(", ");
  });
  const others = more > 0 ? [`${more} more`] : [];
  const watcher = monitor === undefined ? [] : [monitor];
  const all = [...frozen, ...watcher, ...tasks, ...others];
  return all.length === 0 ? "its end was not told" : all.join("; ");
}

/** Processes in uninterruptible sleep come first: they are the reason. */
function rank({ state }: StuckTask): number {
  return state.startsWith("D") ? 0 : state.startsWith("T") ? 1 : 2;
}

/** The thread that is most likely the reason why a process is still there; undefined: the process has ended. */
function stuckTaskOf(pid: number): StuckTask | undefined {
  const threads = entriesIn(`/proc/${pid}/task`).map(({ name }) => Number(name));
  const tasks = threads.flatMap((tid) => readTask(pid, tid) ?? []);
  return tasks.filter(({ state }) => !/^[ZX]/.test(state)).sort((a, b) => rank(a) - rank(b))[0];
}

function readTask(pid: number, tid: number): StuckTask | undefined {
  const task = `${pid}/task/${tid}`;
  const status = readProc(task, "status");
  const state = /^State:\s+(.+)$/m.exec(status)?.[1];
  if (state === undefined) return undefined;
  const waitsIn = readProc(task, "wchan");
  return {
    pid: tid,
    name: /^Name:\s+(.*)$/m.exec(status)?.[1] ?? "",
    state,
    waitsIn: waitsIn === "0" ? "" : waitsIn,
    call: "",
  };
}

/** Reads the system call's number in the thread pool: the read may block, and is then abandoned. */
async function withCall(task: StuckTask): Promise<StuckTask> {
  const text = await Promise.race([
    readFile(`/proc/${task.pid}/syscall`, "utf8").catch(() => ""),
    new Promise<string>((resolve) => setTimeout(resolve, CALL_TIMEOUT_MS, "")),
  ]);
  const number = /^(\d+) /.exec(text)?.[1];
  return number === undefined ? task : { ...task, call: callName(Number(number)) };
}

function callName(number: number): string {
  const architecture = arch() === "arm64" ? architectures.aarch64 : architectures.x86_64;
  for (const [name, known] of syscallNumbers(architecture)) if (known === number) return name;
  return "";
}

/**
 * The topmost frozen cgroup above the container's; cgroup v1 only, where SIGKILL waits for the thaw. The container's own cgroup is not
 * considered: it is frozen for moments while it is cleared away, and the engine thaws it with every SIGKILL.
 */
function frozenBy({ cgroups }: Machine, groupPath: string): string | undefined {
  const freezer = hierarchyOf(cgroups, "freezer");
  if (
    freezer === undefined ||
    !/FR(EEZING|OZEN)/.test(readText(`${freezer.mountPoint}${groupPath}/freezer.state`) ?? "")
  )
    return undefined;
  let found: string | undefined;
  for (let at = dirname(groupPath); at !== "/" && at !== "."; at = dirname(at))
    if ((readText(`${freezer.mountPoint}${at}/freezer.self_freezing`) ?? "").trim() === "1") found = at;
  return found === undefined ? undefined : freezer.mountPoint + found;
}

/** The monitor reports the container's end; if the monitor is stopped or blocked, nobody does. */
function monitorState(initPid: number): string | undefined {
  const monitor = parentOf(initPid);
  const state = monitor < 2 ? undefined : /^State:\s+(.+)$/m.exec(readProc(monitor, "status"))?.[1];
  return state === undefined || !/^[DTt]/.test(state)
    ? undefined
    : `its monitor, process ${monitor}, is in state ${state}`;
}
