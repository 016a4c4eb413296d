/** Both stores: what was acknowledged is there for the next one that opens the file. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatabase } from "../platform/sqlite.ts";
import { DurableStore } from "./durable-store.ts";
import type { RecordStore, Row } from "./rows.ts";
import { RunStore } from "./run-store.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "orlop-store-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const row = (id: string, name = id): Row => ({ kind: "container", id, name, record: `{"of":"${id}"}` });
const stores: readonly (readonly [string, () => RecordStore])[] = [
  ["durable", () => new DurableStore(join(directory, "db"))],
  ["run", () => new RunStore(join(directory, "db"), "boot 1")],
];

for (const [name, open] of stores) {
  test(`${name}: what was acknowledged is there afterwards`, async () => {
    const store = open();
    await store.apply({ put: row("a") });
    await Promise.all([store.apply({ put: row("b") }), store.apply({ put: row("c") })]);
    await store.apply({ put: row("a", "renamed") });
    await store.apply({ remove: row("b") });
    await store.close();
    const again = open();
    expect(again.load("container")).toEqual([row("a", "renamed"), row("c")].map((one) => ({ ...one })));
    await again.close();
  });

  test(`${name}: a change that cannot be made is reported, and the store goes on`, async () => {
    const store = open();
    await store.apply({ put: row("a", "name") });
    const failure = await store.apply({ put: row("b", "name") }).catch((error: unknown) => error);
    expect(String(failure)).toContain("UNIQUE");
    await store.apply({ put: row("c") });
    expect(store.load("container").map(({ id }) => id)).toEqual(["a", "c"]);
    await store.close();
  });
}

test("a change whose file cannot be opened says so, and the next one finds it", async () => {
  const store = new DurableStore(join(directory, "db"));
  renameSync(directory, `${directory}.away`);
  const refused = await store.apply({ put: row("a") }).catch((error: unknown) => error);
  renameSync(`${directory}.away`, directory);
  expect(refused).toMatchObject({ name: "OrlopError", code: "records_unusable" });
  await store.apply({ put: row("b") });
  expect(store.load("container")).toEqual([row("b")]);
  await store.close();
});

test("a hundred changes at once are all there", async () => {
  const store = new DurableStore(join(directory, "db"));
  await Promise.all(Array.from({ length: 100 }, (_, index) => store.apply({ put: row(`c${index}`) })));
  expect(store.load("container")).toHaveLength(100);
  await store.close();
});

test("the run store of an earlier boot begins anew", async () => {
  const path = join(directory, "db");
  const first = new RunStore(path, "boot 1");
  await first.apply({ put: row("a") });
  await first.close();
  const same = new RunStore(path, "boot 1");
  expect([same.afterReboot, same.load("container").length]).toEqual([false, 1]);
  await same.close();
  const next = new RunStore(path, "boot 2");
  expect([next.afterReboot, next.load("container").length]).toEqual([true, 0]);
  await next.close();
});

for (const [name, open] of stores) {
  test(`${name}: nobody but its owner reads it, nor what an older engine left open to all`, async () => {
    writeFileSync(join(directory, "db"), "");
    chmodSync(join(directory, "db"), 0o644);
    const store = open();
    await store.apply({ put: row("a") });
    const files = ["db", "db-wal", "db-shm"].map((file) => join(directory, file)).filter((file) => existsSync(file));
    expect(files.length).toBeGreaterThan(1);
    expect(files.map((file) => statSync(file).mode & 0o777)).toEqual(files.map(() => 0o600));
    await store.close();
  });
}

test("a database of a newer version is left alone", () => {
  const path = join(directory, "db");
  const database = openDatabase(path, "process");
  database.run("PRAGMA user_version = 99");
  database.close();
  expect(() => new DurableStore(path)).toThrow("written by a newer Orlop");
});

for (const [name, open] of stores) {
  test(`${name}: changes given together are made together or not at all, and kinds have names of their own`, async () => {
    const store = open();
    const volume: Row = { ...row("a", "taken"), kind: "volume" };
    await store.apply({ put: row("a", "taken") }, { put: volume });
    const failure = await store.apply({ remove: volume }, { put: row("b", "taken") }).catch((error: unknown) => error);
    expect(String(failure)).toContain("UNIQUE");
    expect(store.load("volume").map(({ id }) => id)).toEqual(["a"]);
    expect(store.load("container").map(({ id }) => id)).toEqual(["a"]);
    await store.close();
  });
}

test("containers of the first schema are there after the migration", async () => {
  const path = join(directory, "db");
  const database = openDatabase(path, "full");
  database.run("CREATE TABLE containers (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT");
  database.run("CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT");
  database.run("INSERT INTO containers VALUES ('old', 'name', '{}')");
  database.run("PRAGMA user_version = 1");
  database.close();
  const store = new DurableStore(path);
  expect(store.load("container")).toEqual([{ kind: "container", id: "old", name: "name", record: "{}" }]);
  await store.close();
});
