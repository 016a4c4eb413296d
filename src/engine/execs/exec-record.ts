/** The record of an exec in the run directory: enough for the next engine to take it over. */

import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import type { ExecCreateBody } from "../../spec/engine-api-exec.ts";
import { readText } from "../machine.ts";
import type { ContainerPlaces } from "../places.ts";

export interface ExecRecord {
  readonly id: string;
  readonly body: ExecCreateBody;
}

/** The folder of one exec, below its container's. */
export interface ExecPlaces {
  readonly directory: string;
  readonly record: string;
  readonly socket: string;
  readonly exitRecord: string;
}

export function execPlaces(container: ContainerPlaces, id: string): ExecPlaces {
  const directory = `${container.runDir}/exec/${id}`;
  return {
    directory,
    record: `${directory}/exec.json`,
    socket: `${directory}/monitor.sock`,
    exitRecord: `${directory}/exit`,
  };
}

export function encodeExecRecord(record: ExecRecord): string {
  return JSON.stringify(record);
}

export function writeExecRecord(places: ExecPlaces, record: ExecRecord): void {
  mkdirSync(places.directory, { recursive: true, mode: 0o700 });
  writeFileSync(places.record, encodeExecRecord(record), { mode: 0o600 });
}

/** The records that an earlier engine wrote for a container's execs. Incomplete ones are removed. */
export function readExecRecords(container: ContainerPlaces): ExecRecord[] {
  return namesIn(`${container.runDir}/exec`).flatMap((id) => {
    try {
      return [JSON.parse(readText(execPlaces(container, id).record) ?? "") as ExecRecord];
    } catch {
      rmSync(execPlaces(container, id).directory, { recursive: true, force: true });
      return [];
    }
  });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
