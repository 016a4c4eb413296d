/** A container's processes, as `ps` on this machine would list them. Nothing found in the container is run for it. */

import { type ProcessFacts, parseProcessFacts } from "../../kernel/process-facts.ts";
import type { Events } from "../events/events.ts";
import { type Machine, readText } from "../machine.ts";
import type { Container } from "./container.ts";
import { publishContainerEvent } from "./container-events.ts";
import { groupPathOfRecord } from "./container-record.ts";
import { mustAct } from "./container-state.ts";
import { entriesIn, pidsIn } from "./group-processes.ts";
import { parsePsArguments } from "./ps-arguments.ts";
import type { PsSurroundings } from "./ps-columns.ts";

export interface ProcessList {
  readonly titles: readonly string[];
  readonly processes: readonly (readonly string[])[];
}

/**
 * What `top` answers.
 *
 * @throws {OrlopError} container_not_running; bad_value for an option of ps that is not carried out
 */
export function topOf(container: Container, { machine, events }: TopParts, psArguments: string): ProcessList {
  mustAct("top", container.status, container);
  const list = listProcesses(machine, groupPathOfRecord(container.record), psArguments);
  publishContainerEvent(events, container.record, "top");
  return list;
}

interface TopParts {
  readonly machine: Machine;
  readonly events: Events;
}

function listProcesses(machine: Machine, groupPath: string, psArguments: string): ProcessList {
  const columns = parsePsArguments(psArguments);
  const around = surroundings(machine);
  const processes = pidsIn(machine.cgroups, groupPath).flatMap((pid) => readProcess(pid) ?? []);
  return {
    titles: columns.map(({ title }) => title),
    processes: processes.map((process) => columns.map(({ cell }) => cell(process, around))),
  };
}

/** undefined: it has ended meanwhile. */
function readProcess(pid: number): ProcessFacts | undefined {
  try {
    const read = (name: string): string => readText(`/proc/${pid}/${name}`) ?? "";
    const [stat, status] = [read("stat"), read("status")];
    // Its words lie in its memory, and one that waits in the kernel may have locked that: the engine would wait with it.
    return parseProcessFacts(stat, status, mayBeLocked(pid) ? "" : read("cmdline"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return undefined;
    throw error;
  }
}

/** A thread of it waits uninterruptibly. */
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

/** The machine's own names: the container's files have no say in what the machine shows. */
function namesIn(path: string): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const line of (readText(path) ?? "").split("\n")) {
    const [name = "", , id = ""] = line.split(":");
    if (/^\d+$/.test(id) && !names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}
