/**
 * At the engine's start, compares the records with what exists. What the last engine left half done is finished or undone; afterwards
 * every record is true.
 */

import { readdirSync } from "node:fs";
import { settlesWithin } from "../../base/in-time.ts";
import { log } from "../../base/log.ts";
import type { Row } from "../../store/rows.ts";
import type { EngineParts } from "../engine-parts.ts";
import { readText } from "../machine.ts";
import { containerPlaces, GROUP_FILE, transientsDirectory } from "../places.ts";
import { parentOf } from "../process-files.ts";
import type { Container } from "./container.ts";
import { ContainerProcess } from "./container-process.ts";
import { type ContainerRecord, decodeRecord, groupPathOfRecord } from "./container-record.ts";
import type { Containers } from "./containers.ts";
import { parseExitRecord } from "./exit-status.ts";

export interface Reconciliation {
  readonly parts: EngineParts;
  readonly containers: Containers;
  readonly rows: readonly Row[];
  /** The machine has booted since the last engine ran. */
  readonly afterBoot: boolean;
  /** Called with the pid of each monitor that is not a child of the supervisor, which therefore does not notice its end. */
  watch(pid: number): void;
}

/** How long monitors are waited for: one that hangs must not keep the engine from serving the rest. */
const MONITOR_TIMEOUT_MS = 3000;

export async function reconcile(input: Reconciliation): Promise<void> {
  const records = input.rows.map(decodeRecord);
  await Promise.all(records.map((record) => reconcileOne(input, record)));
  for (const container of input.containers.all()) container.restarts.schedule(); // restarts that the last engine had scheduled
  if (input.afterBoot) await Promise.all(input.containers.all().map((container) => container.restartAfterBoot()));
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
  if (!(await settlesWithin(taken, MONITOR_TIMEOUT_MS))) {
    log("warn", `the monitor of container ${container.id} does not answer`);
    container.presumeRunning(taken);
  } else if (!(await settlesWithin(restored, MONITOR_TIMEOUT_MS))) {
    log("warn", `the monitor of an exec of container ${container.id} does not answer`);
  }
}

/** @returns whether the container runs */
async function takeOver(input: Reconciliation, container: Container, record: ContainerRecord): Promise<boolean> {
  const process = await findProcess(input.parts, container);
  if (process === undefined) {
    await recordEnd(container, record);
    return false;
  }
  await container.adopt(process, groupPathOfRecord(record));
  watchMonitor(input, process.link.pid);
  return true;
}

/** @param child the monitor's child, the first process of a container or an exec */
function watchMonitor(input: Reconciliation, child: number): void {
  const monitor = parentOf(child);
  if (monitor > 0 && parentOf(monitor) !== globalThis.process.ppid) input.watch(monitor);
}

async function findProcess(parts: EngineParts, container: Container): Promise<ContainerProcess | undefined> {
  try {
    return await ContainerProcess.find(parts.executor, container.places.socket);
  } catch {
    return undefined; // nobody listens on the socket: there is no monitor
  }
}

/** Without a monitor, the container ended while no engine ran, its monitor was lost, or it never ran. */
async function recordEnd(container: Container, record: ContainerRecord): Promise<void> {
  const ended = parseExitRecord(readText(container.places.exitRecord) ?? "");
  if (ended !== undefined && record.run.status !== "exited")
    return container.recordUnseenEnd({ kind: "exited", ...ended }, groupPathOfRecord(record));
  // A --rm container's record does not say whether it ran: it is removed in any case.
  if (record.run.status === "running" || container.isTransient) {
    const reason = "neither its monitor nor an exit record was found: the machine or the monitor was stopped";
    await container.recordUnseenEnd({ kind: "lost", reason }, groupPathOfRecord(record));
  }
}

/** Removes folders without a record: of a create that was not acknowledged, or a removal that was. */
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

/** Without a record, a CgroupParent is known from the file that `create` left for this. */
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
