/** The metadata database's tables, and how an older one becomes today's. */

import type { Database } from "../platform/sqlite.ts";

/** Each entry takes the schema one version further, in one transaction. Add at the end; never change what was released. */
const migrations: readonly string[] = [
  `CREATE TABLE containers (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     record TEXT NOT NULL
   ) STRICT;
   CREATE TABLE facts (
     name TEXT PRIMARY KEY,
     value TEXT NOT NULL
   ) STRICT;`,
  `CREATE TABLE records (
     kind TEXT NOT NULL,
     id TEXT NOT NULL,
     name TEXT NOT NULL,
     record TEXT NOT NULL,
     PRIMARY KEY (kind, id),
     UNIQUE (kind, name)
   ) STRICT;
   INSERT INTO records (kind, id, name, record) SELECT 'container', id, name, record FROM containers ORDER BY rowid;
   DROP TABLE containers;`,
];

/** Brings the schema to this version's. @throws {Error} when the database is newer than this program */
export function migrate(database: Database, path: string): void {
  const version = database.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
  if (version > migrations.length)
    throw new Error(`${path} was written by a newer Orlop (schema ${version}, this one knows ${migrations.length})`);
  migrations.slice(version).forEach((sql, index) => {
    database.transaction(() => {
      database.run(sql);
      database.run(`PRAGMA user_version = ${version + index + 1}`);
    })();
  });
}
