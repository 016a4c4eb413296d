/** Containers as rows. What a record says is the engine's business; here it is text. */

import type { Database } from "../platform/sqlite.ts";

export interface ContainerRow {
  readonly id: string;
  readonly name: string;
  /** JSON. */
  readonly record: string;
}

/** A change to the rows. */
export type Change = { readonly put: ContainerRow } | { readonly remove: string };

/** Where records are kept. A promise that resolved means that the change has the store's durability. */
export interface ContainerStore {
  /** Every row, oldest first. */
  load(): ContainerRow[];
  apply(change: Change): Promise<void>;
  close(): Promise<void>;
}

/** The statements of one open database. */
export class ContainerRows {
  readonly #database: Database;
  readonly #put;
  readonly #remove;

  constructor(database: Database) {
    this.#database = database;
    this.#put = database.query<never, [string, string, string]>(
      `INSERT INTO containers (id, name, record) VALUES (?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET name = excluded.name, record = excluded.record`,
    );
    this.#remove = database.query<never, [string]>("DELETE FROM containers WHERE id = ?");
  }

  load(): ContainerRow[] {
    return this.#database.query<ContainerRow, []>("SELECT id, name, record FROM containers ORDER BY rowid").all();
  }

  apply(change: Change): void {
    if ("put" in change) this.#put.run(change.put.id, change.put.name, change.put.record);
    else this.#remove.run(change.remove);
  }

  /** All of them or none, with one sync. */
  applyAll(changes: readonly Change[]): void {
    this.#database.transaction(() => {
      for (const change of changes) this.apply(change);
    })();
  }
}
