/** A container's processes, as `ps` on this machine would list them. Nothing found in the container is run for it. */

import { readdirSync } from "node:fs";
import { type CgroupLayout, hierarchyOf } from "../../kernel/cgroup/layout.ts";
import { type ProcessFacts, parseProcessFacts } from "../../kernel/process-facts.ts";
import type { Events } from "../events/events.ts";
import { type Machine, readText } from "../machine.ts";
import type { Container } from "./container.ts";
import { publishContainerEvent } from "./container-events.ts";
import { groupPathOfRecord } from "./container-record.ts";
import { mustAct } from "./container-state.ts";
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

/** Those of the group and of groups that the container made below it, in ascending order. */
function pidsIn(layout: CgroupLayout, groupPath: string): number[] {
  const hierarchy = hierarchyOf(layout, "freezer") ?? hierarchyOf(layout, "pids") ?? layout.v1[0] ?? layout.v2;
  const pids = hierarchy === undefined ? [] : [...pidsBelow(hierarchy.mountPoint + groupPath)];
  return pids.sort((a, b) => a - b);
}

function* pidsBelow(directory: string): Generator<number> {
  const text = readText(`${directory}/cgroup.procs`);
  if (text === undefined) return; // the container has ended meanwhile
  yield* text
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
  for (const entry of entriesIn(directory)) if (entry.isDirectory()) yield* pidsBelow(`${directory}/${entry.name}`);
}

function entriesIn(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** undefined: it has ended meanwhile. */
function readProcess(pid: number): ProcessFacts | undefined {
  try {
    const [stat, status, cmdline] = ["stat", "status", "cmdline"].map((name) => readText(`/proc/${pid}/${name}`) ?? "");
    return parseProcessFacts(stat ?? "", status ?? "", cmdline ?? "");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return undefined;
    throw error;
  }
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
