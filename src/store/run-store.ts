/**
 * The store of `--rm` containers, in the run directory: it costs no sync, survives the engine, and ends with the machine's
 * boot, which is what `--rm` means.
 */

import { readFileSync } from "node:fs";
import { type Database, openDatabase } from "../platform/sqlite.ts";
import { type Change, type RecordKind, type RecordStore, type Row, Rows } from "./rows.ts";
import { migrate } from "./schema.ts";

export class RunStore implements RecordStore {
  readonly #database: Database;
  readonly #rows: Rows;
  /** The run directory is of an earlier boot (it is not on a tmpfs): nothing in it runs any more. */
  readonly afterReboot: boolean;

  constructor(path: string, bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()) {
    this.#database = openDatabase(path, "process");
    migrate(this.#database, path);
    this.#rows = new Rows(this.#database);
    const known = this.#database.query<{ value: string }, []>("SELECT value FROM facts WHERE name = 'boot'").get();
    this.afterReboot = known !== null && known.value !== bootId;
    if (this.afterReboot) this.#database.run("DELETE FROM records");
    if (known?.value !== bootId) this.#database.run("INSERT OR REPLACE INTO facts VALUES ('boot', ?)", [bootId]);
  }

  load(kind: RecordKind): Row[] {
    return this.#rows.load(kind);
  }

  async apply(...changes: readonly Change[]): Promise<void> {
    this.#rows.applyAll(changes);
  }

  async close(): Promise<void> {
    this.#database.close();
  }
}
