/** When a directory is synced, seen by taking it away: a sync that is made fails then. */

import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SyncedDirectory } from "./synced-directory.ts";

test("is synced once before anything is known of it, then after each change alone, and again when that failed", async () => {
  const parent = mkdtempSync(join(tmpdir(), "orlop-synced-"));
  const path = join(parent, "names");
  try {
    const directory = new SyncedDirectory(path);
    await expect(directory.sync()).rejects.toThrow("ENOENT"); // an earlier engine's names
    mkdirSync(path);
    await directory.sync();
    rmdirSync(path);
    await directory.sync(); // nothing has come
    directory.changed();
    await expect(directory.sync()).rejects.toThrow("ENOENT");
    await expect(directory.sync()).rejects.toThrow("ENOENT");
  } finally {
    rmSync(parent, { recursive: true });
  }
});
