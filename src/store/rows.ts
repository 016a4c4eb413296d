/** Records as rows. Their meaning is the engine's; here they are text. */

import type { Database } from "../platform/sqlite.ts";

/** The kinds of records; ids and names are unique within their kind. */
export type RecordKind = "container" | "image" | "tag" | "volume" | "network";

export interface Row {
  readonly kind: RecordKind;
  readonly id: string;
  readonly name: string;
  /** JSON. */
  readonly record: string;
}

/** A change to the rows. */
export type Change = { readonly put: Row } | { readonly remove: Pick<Row, "kind" | "id"> };

/** Where records are kept. A promise that resolved means that the change has the store's durability. */
export interface RecordStore {
  /** Every row of a kind, oldest first. */
  load(kind: RecordKind): Row[];
  /** All of these changes or none. */
  apply(...changes: readonly Change[]): Promise<void>;
  close(): Promise<void>;
}

/** The statements of one open database. */
export class Rows {
  readonly #database: Database;
  readonly #put;
  readonly #update;
  readonly #remove;

  constructor(database: Database) {
    this.#database = database;
    this.#put = database.query<never, [string, string, string, string]>(
      `INSERT INTO records (kind, id, name, record) VALUES (?, ?, ?, ?)
       ON CONFLICT (kind, id) DO UPDATE SET name = excluded.name, record = excluded.record`,
    );
    // An update that keeps the name, as most do, leaves both indexes unchanged, which saves two pages of the log.
    this.#update = database.query<never, [string, string, string, string]>(
      "UPDATE records SET record = ? WHERE kind = ? AND id = ? AND name = ?",
    );
    this.#remove = database.query<never, [string, string]>("DELETE FROM records WHERE kind = ? AND id = ?");
  }

  load(kind: RecordKind): Row[] {
    return this.#database
      .query<Row, [string]>("SELECT kind, id, name, record FROM records WHERE kind = ? ORDER BY rowid")
      .all(kind);
  }

  /** Makes all changes or none; in a durable database with one sync. */
  applyAll(changes: readonly Change[]): void {
    const applyEach = (): void => {
      for (const change of changes) this.#apply(change);
    };
    if (changes.length === 1) applyEach();
    else this.#database.transaction(applyEach)();
  }

  #apply(change: Change): void {
    if ("remove" in change) {
      this.#remove.run(change.remove.kind, change.remove.id);
      return;
    }
    const { kind, id, name, record } = change.put;
    if (this.#update.run(record, kind, id, name).changes === 0) this.#put.run(kind, id, name, record);
  }
}
