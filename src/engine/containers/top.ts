/** A container's processes in the format of `ps`. No program of the container is run for this. */

import { closeSync, openSync, readSync } from "node:fs";
import { OrlopError } from "../../base/errors.ts";
import { type ProcessFacts, parseProcessFacts } from "../../kernel/process-facts.ts";
import { findPs, runPs } from "../../kernel/ps.ts";
import type { Events } from "../events/events.ts";
import { type Machine, readText } from "../machine.ts";
import type { Container } from "./container.ts";
import { publishContainerEvent } from "./container-events.ts";
import { groupPathOfRecord } from "./container-record.ts";
import { mustAct } from "./container-state.ts";
import { entriesIn, pidsIn } from "./group-processes.ts";
import { parsePsArguments, wordsForPs } from "./ps-arguments.ts";
import type { Column, PsSurroundings } from "./ps-columns.ts";
import { parsePsOutput } from "./ps-output.ts";

export interface ProcessList {
  readonly titles: readonly string[];
  readonly processes: readonly (readonly string[])[];
}

/**
 * The answer of `top`. For options that are not implemented here, the machine's `ps` is run, if it has one.
 *
 * @throws {OrlopError} container_not_running; no_pid_column, bad_value, ps_failed for options that neither knows
 */
export async function topOf(
  container: Container,
  { machine, events }: TopParts,
  psArguments: string,
): Promise<ProcessList> {
  mustAct("top", container.status, container);
  const columns = parsePsArguments(psArguments);
  const pids = pidsIn(machine.cgroups, groupPathOfRecord(container.record));
  const list = columns === undefined ? await askPs(pids, psArguments) : await listProcesses(machine, pids, columns);
  publishContainerEvent(events, container.record, "top");
  return list;
}

interface TopParts {
  readonly machine: Machine;
  readonly events: Events;
}

async function askPs(pids: readonly number[], psArguments: string): Promise<ProcessList> {
  const program = findPs();
  const words = wordsForPs(psArguments);
  if (program === undefined)
    throw OrlopError.of("bad_value", {
      what: "ps option",
      value: psArguments,
      expected:
        "-e, -A, -f, a, u, x, w, or -o with a list of columns: this machine has no ps, which knows more (procps)",
    });
  // Some options exclude a list of pids (-q): then `ps` lists all processes, and those of others are filtered out.
  const named = await runPs(program, [...words, `-q${pids.join()}`]).catch(() => undefined);
  return parsePsOutput(named ?? (await runPs(program, words)), pids);
}

/** How many processes are read before other requests get a turn: a container may have tens of thousands. */
const BATCH = 50;

async function listProcesses(
  machine: Machine,
  pids: readonly number[],
  columns: readonly Column[],
): Promise<ProcessList> {
  const around = surroundings(machine);
  const commandLineBytes = Math.min(
    COMMAND_LINE_MAX_BYTES,
    Math.max(COMMAND_LINE_MIN_BYTES, Math.floor(COMMAND_LINES_BYTES / pids.length)),
  );
  const processes: ProcessFacts[] = [];
  for (const [at, pid] of pids.entries()) {
    if (at % BATCH === BATCH - 1) await new Promise((resolve) => setTimeout(resolve, 1));
    const process = readProcess(pid, commandLineBytes);
    if (process !== undefined) processes.push(process);
  }
  return {
    titles: columns.map(({ title }) => title),
    processes: processes.map((process) => columns.map(({ cell }) => cell(process, around))),
  };
}

/** Limits of command lines, for one process and for all: a container may have thousands of processes with 2 MB each. */
const COMMAND_LINE_MAX_BYTES = 128 * 1024; // as much as procps reads
const COMMAND_LINE_MIN_BYTES = 1024;
const COMMAND_LINES_BYTES = 4 * 1024 * 1024;

/** undefined for a process that has ended. */
function readProcess(pid: number, commandLineBytes: number): ProcessFacts | undefined {
  try {
    const read = (name: string): string => readText(`/proc/${pid}/${name}`) ?? "";
    const [stat, status] = [read("stat"), read("status")];
    // The command line is read from the process's memory. A thread in uninterruptible sleep may hold the mmap_lock, and the read would block.
    return parseProcessFacts(stat, status, mayBeLocked(pid) ? "" : readCommandLine(pid, commandLineBytes));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return undefined;
    throw error;
  }
}

function readCommandLine(pid: number, most: number): string {
  let fd: number;
  try {
    fd = openSync(`/proc/${pid}/cmdline`, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
  try {
    const bytes = Buffer.alloc(most);
    let size = 0;
    // procfs returns at most a page per read.
    for (let got = -1; got !== 0 && size < most; size += got) got = readSync(fd, bytes, size, most - size, null);
    return bytes.toString("utf8", 0, size);
  } finally {
    closeSync(fd);
  }
}

/** Whether a thread of the process is in uninterruptible sleep. */
function mayBeLocked(pid: number): boolean {
  const states = entriesIn(`/proc/${pid}/task`).map(({ name }) => readText(`/proc/${pid}/task/${name}/stat`) ?? "");
  return states.some((stat) => stat.slice(stat.lastIndexOf(")") + 2).startsWith("D"));
}

function surroundings(machine: Machine): PsSurroundings {
  const bootSeconds = Number(/^btime (\d+)$/m.exec(readText("/proc/stat") ?? "")?.[1] ?? 0);
  const users = namesIn("/etc/passwd");
  const groups = namesIn("/etc/group");
  return {
    nowMs: Date.now(),
    bootMs: bootSeconds * 1000,
    memoryKib: machine.memoryBytes / 1024,
    userName: (uid) => users.get(uid) ?? String(uid),
    groupName: (gid) => groups.get(gid) ?? String(gid),
  };
}

/** User and group names are the machine's, never from the container's files, which are not trusted. */
function namesIn(path: string): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const line of (readText(path) ?? "").split("\n")) {
    const [name = "", , id = ""] = line.split(":");
    if (/^\d+$/.test(id) && !names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}
