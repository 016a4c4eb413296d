/** SQLite, by Bun's binding. Elsewhere: node:sqlite's DatabaseSync, which has the same shape. */

import { Database } from "bun:sqlite";
import { seeded } from "../base/point.ts";

export type { Database };

export type Durability =
  /** A commit that returned survives a power loss. */
  | "full"
  /** A commit survives this process alone: for what lives in the run directory. */
  | "process";

/** Opens a database, made when missing. */
export function openDatabase(path: string, durability: Durability): Database {
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
