/**
 * Why a container did not end although it was killed: which processes are still there, and where in the kernel each waits.
 *
 * Only files of /proc are read that cannot wait themselves: not `cmdline` (the process's memory map may be locked), not
 * `stack` and `syscall` on this thread (they wait for an execve that is under way).
 */

import { readFile } from "node:fs/promises";
import { arch } from "node:os";
import { dirname } from "node:path";
import { hierarchyOf } from "../../kernel/cgroup/layout.ts";
import { architectures, syscallNumbers } from "../../kernel/seccomp/architecture.ts";
import { type Machine, readText } from "../machine.ts";
import { entriesIn, pidsIn } from "./group-processes.ts";

/** One thread that does not end. */
export interface StuckTask {
  readonly pid: number;
  readonly name: string;
  /** As /proc says it: "D (disk sleep)". */
  readonly state: string;
  /** The kernel's function; "" where it does not tell. */
  readonly waitsIn: string;
  /** The system call's name; "" outside of any, or where that is not known. */
  readonly call: string;
}

/** So many are looked at, and so many named. */
const LOOKED_AT = 256;
const NAMED = 5;
const CALL_PATIENCE_MS = 200;

/** One line for a person. @param initPid the container's first process, whose parent is the monitor */
export async function explainUnkillable(machine: Machine, groupPath: string, initPid: number): Promise<string> {
  const pids = pidsIn(machine.cgroups, groupPath).slice(0, LOOKED_AT);
  const stuck = pids.flatMap((pid) => stuckTaskOf(pid) ?? []).sort((a, b) => rank(a) - rank(b));
  const named = await Promise.all(stuck.slice(0, NAMED).map(withCall));
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
  /** The group that somebody froze; undefined: none, or freezing does not keep SIGKILL off (v2). */
  readonly frozenBy: string | undefined;
  /** Where the monitor itself stands still. */
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

/** Those that wait uninterruptibly first: they are the reason. */
function rank({ state }: StuckTask): number {
  return state.startsWith("D") ? 0 : state.startsWith("T") ? 1 : 2;
}

/** The thread of a process that is most likely to be why it is still there; undefined: it has ended. */
function stuckTaskOf(pid: number): StuckTask | undefined {
  const threads = entriesIn(`/proc/${pid}/task`).map(({ name }) => Number(name));
  const tasks = threads.flatMap((tid) => readTask(pid, tid) ?? []);
  return tasks.filter(({ state }) => !/^[ZX]/.test(state)).sort((a, b) => rank(a) - rank(b))[0];
}

function readTask(pid: number, tid: number): StuckTask | undefined {
  const directory = `/proc/${pid}/task/${tid}`;
  const status = readProc(`${directory}/status`);
  const state = /^State:\s+(.+)$/m.exec(status)?.[1];
  if (state === undefined) return undefined;
  const waitsIn = readProc(`${directory}/wchan`);
  return {
    pid: tid,
    name: /^Name:\s+(.*)$/m.exec(status)?.[1] ?? "",
    state,
    waitsIn: waitsIn === "0" ? "" : waitsIn,
    call: "",
  };
}

/** Its number is read on another thread, which may have to be left waiting. */
async function withCall(task: StuckTask): Promise<StuckTask> {
  const text = await Promise.race([
    readFile(`/proc/${task.pid}/syscall`, "utf8").catch(() => ""),
    new Promise<string>((resolve) => setTimeout(resolve, CALL_PATIENCE_MS, "")),
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
 * v1 only: there SIGKILL waits for the thaw. The topmost group above that was told to stand still. Not the container's own: that one
 * stands still for moments while it is cleared away, and every SIGKILL of ours lets it go.
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

/** Who would tell of its end: when it stands still itself, nobody does. */
function monitorState(initPid: number): string | undefined {
  const monitor = Number(/^PPid:\s+(\d+)$/m.exec(readProc(`/proc/${initPid}/status`))?.[1] ?? 0);
  const state = monitor < 2 ? undefined : /^State:\s+(.+)$/m.exec(readProc(`/proc/${monitor}/status`))?.[1];
  return state === undefined || !/^[DTt]/.test(state)
    ? undefined
    : `its monitor, process ${monitor}, is in state ${state}`;
}

/** "" for one that has ended meanwhile. */
function readProc(path: string): string {
  try {
    return readText(path) ?? "";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return "";
    throw error;
  }
}
