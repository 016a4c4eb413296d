/**
 * At the engine's start: what is written down against what is there. Whatever the last engine left half done is finished or
 * undone, and afterwards every record says the truth.
 */

import { readdirSync } from "node:fs";
import { settlesWithin } from "../../base/in-time.ts";
import { log } from "../../base/log.ts";
import type { Row } from "../../store/rows.ts";
import type { EngineParts } from "../engine-parts.ts";
import { readText } from "../machine.ts";
import { containerPlaces, GROUP_FILE, transientsDirectory } from "../places.ts";
import type { Container } from "./container.ts";
import { ContainerProcess } from "./container-process.ts";
import { type ContainerRecord, decodeRecord, groupPathOfRecord } from "./container-record.ts";
import type { Containers } from "./containers.ts";
import { parseExitRecord } from "./exit-status.ts";

export interface Reconciliation {
  readonly parts: EngineParts;
  readonly containers: Containers;
  readonly rows: readonly Row[];
  /** The machine was started since the last engine. */
  readonly afterBoot: boolean;
  /** Told of a monitor that is not the supervisor's child: nobody else would notice its end. */
  watch(pid: number): void;
}

/** One monitor that stands still must not keep the engine from serving the rest. */
const MONITOR_PATIENCE_MS = 3000;

export async function reconcile(input: Reconciliation): Promise<void> {
  const records = input.rows.map(decodeRecord);
  await Promise.all(records.map((record) => reconcileOne(input, record)));
  for (const container of input.containers.all()) container.restarts.schedule(); // what the last engine was waiting for
  if (input.afterBoot) await Promise.all(input.containers.all().map((container) => container.takeBoot()));
  removeStrays(input.parts, new Set(records.map(({ id }) => id)));
}

async function reconcileOne(input: Reconciliation, record: ContainerRecord): Promise<void> {
  const container = input.containers.restore(record);
  input.parts.networks.adopt(container);
  const taken = takeOver(input, container, record).catch((error: unknown) => {
    log("error", `container ${container.id} could not be taken over`, error);
    return false;
  });
  const restored = taken
    .then((runs) => (runs ? container.execs.restore((pid) => watchMonitor(input, pid)) : undefined))
    .catch((error: unknown) => log("error", `execs of container ${container.id} could not be taken over`, error));
  if (!(await settlesWithin(taken, MONITOR_PATIENCE_MS))) {
    log("warn", `the monitor of container ${container.id} does not answer`);
    container.presume(taken);
  } else if (!(await settlesWithin(restored, MONITOR_PATIENCE_MS))) {
    log("warn", `the monitor of an exec of container ${container.id} does not answer`);
  }
}

/** Whether it runs. */
async function takeOver(input: Reconciliation, container: Container, record: ContainerRecord): Promise<boolean> {
  const process = await findProcess(input.parts, container);
  if (process === undefined) {
    await settle(container, record);
    return false;
  }
  await container.adopt(process, groupPathOfRecord(record));
  watchMonitor(input, process.link.pid);
  return true;
}

/** @param child what the monitor watches over */
function watchMonitor(input: Reconciliation, child: number): void {
  const monitor = parentOf(child);
  if (monitor > 0 && parentOf(monitor) !== globalThis.process.ppid) input.watch(monitor);
}

async function findProcess(parts: EngineParts, container: Container): Promise<ContainerProcess | undefined> {
  try {
    return await ContainerProcess.find(parts.executor, container.places.socket);
  } catch {
    return undefined; // nobody listens: there is no monitor any more, or never was
  }
}

/** No monitor: it ended meanwhile, was lost, or never ran. */
async function settle(container: Container, record: ContainerRecord): Promise<void> {
  const ended = parseExitRecord(readText(container.places.exitRecord) ?? "");
  if (ended !== undefined && record.run.status !== "exited")
    return container.settle({ kind: "exited", ...ended }, groupPathOfRecord(record));
  // Of a --rm container it is not stored whether it ran: whatever is left of it goes.
  if (record.run.status === "running" || container.isTransient) {
    const reason = "neither its monitor nor an exit record was found: the machine or the monitor was stopped";
    await container.settle({ kind: "lost", reason }, groupPathOfRecord(record));
  }
}

/** 0 for a process that is gone. */
function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readText(`/proc/${pid}/status`) ?? "")?.[1] ?? 0);
}

/** Folders without a record: a create that was not acknowledged, or a removal that was. */
function removeStrays(parts: EngineParts, known: ReadonlySet<string>): void {
  const { places } = parts;
  const folders = [`${places.runDir}/containers`, `${places.stateDir}/containers`, transientsDirectory(places)];
  const names = folders.flatMap(namesIn).filter((name) => /^[0-9a-f]{64}$/.test(name) && !known.has(name));
  for (const id of new Set(names)) {
    void parts.background(`removing what was left of ${id}`, async () => {
      await parts.clearAway(
        groupOfStray(parts, id),
        folders.map((folder) => `${folder}/${id}`),
        [containerPlaces(parts.places, id, false).shm],
      );
    });
  }
}

/** Its record is gone; a parent of its own was written down beside it. */
function groupOfStray({ places }: EngineParts, id: string): string {
  return readText(`${places.runDir}/containers/${id}/${GROUP_FILE}`) ?? `/orlop/${id}`;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
