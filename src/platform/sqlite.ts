/** SQLite, by Bun's binding. Elsewhere: node:sqlite's DatabaseSync, which has the same shape. */

import { Database } from "bun:sqlite";
import { chmodSync, closeSync, existsSync, openSync } from "node:fs";
import { OrlopError } from "../base/errors.ts";
import { seeded } from "../base/point.ts";

export type { Database };

const PRIVATE = 0o600;

export type Durability =
  /** A commit that returned survives a power loss. */
  | "full"
  /** A commit survives this process alone: for what lives in the run directory. */
  | "process";

/**
 * Opens a database, made when missing. Nobody but its owner reads it: records have what containers are given in confidence.
 *
 * @throws {OrlopError} records_unusable
 */
export function openDatabase(path: string, durability: Durability): Database {
  try {
    return open(path, durability);
  } catch (error) {
    if (isFull(error)) throw fullDisk(path, error);
    throw OrlopError.of("records_unusable", { path, reason: String(error) }, error);
  }
}

/** SQLite says "disk I/O error" where it cannot make the file of its shared index. */
const fullCodes: ReadonlySet<string> = new Set(["SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "ENOSPC"]);

/** Whether it failed because the disk is full. */
export function isFull(error: unknown): boolean {
  const { cause = error } = error as Error;
  return cause instanceof Error && "code" in cause && fullCodes.has(String(cause.code));
}

export function fullDisk(path: string, error: unknown): OrlopError {
  return OrlopError.of("records_unusable", { path, reason: "no space left on device" }, error);
}

function open(path: string, durability: Durability): Database {
  closeSync(openSync(path, "a", PRIVATE));
  // What an older engine left, too; SQLite gives what it makes beside a database the mode of that.
  for (const name of [path, `${path}-wal`, `${path}-shm`]) if (existsSync(name)) chmodSync(name, PRIVATE);
  const database = new Database(path, { create: true, strict: true });
  // First, because the next one takes a lock that a process which is ending may still hold.
  database.run("PRAGMA busy_timeout = 5000");
  // Nobody else reads this one: the log's index is kept in memory, without locks and a shared mapping.
  if (durability === "process") database.run("PRAGMA locking_mode = EXCLUSIVE");
  // Without a checkpoint at close the next opening reads the log again: fine, and closing never waits for the disk.
  database.run("PRAGMA journal_mode = WAL");
  database.run(`PRAGMA synchronous = ${durability === "full" && !seeded("power.sync") ? "FULL" : "OFF"}`);
  return database;
}
