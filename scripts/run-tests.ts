/**
 * Runs every test, folder by folder, one after the other: kernel tests must not disturb each other's timing, and look at what is on
 * the machine before and after each. One folder, which has no part in that, runs beside the others. Arguments choose folders.
 */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { FolderRun, formatTally } from "./folder-run.ts";

const root = join(import.meta.dir, "..");

/** Cheap ones first, so that a plain mistake shows early. A folder that is not named here comes after these. */
const firstFolders = ["src", "test", "test/conformance", "test/kernel"];

/** Its tests are virtual machines (`testBesideOthers`): they get the processor time that the others leave, and are shown last. */
const besideFolder = "test/vm";
const leastUrgent = 19;

/** Every folder with tests, so that none can be forgotten. "test" means the files directly in it. */
function testFolders(): string[] {
  const files = ["src", "test"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".test.ts"))
      .map((file) => join(folder, file)),
  );
  const folders = new Set(
    files.map((file) => (file.startsWith("src/") ? "src" : file.split("/").slice(0, -1).slice(0, 2).join("/"))),
  );
  const rank = (folder: string): number =>
    firstFolders.includes(folder) ? firstFolders.indexOf(folder) : firstFolders.length;
  return [...folders].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

const wanted = process.argv.slice(2);
const chosen = testFolders().filter((folder) => wanted.length === 0 || wanted.includes(folder));
const beside = chosen.filter((folder) => folder === besideFolder).map((folder) => new FolderRun(folder, leastUrgent));
const total = { passed: 0, failed: 0, skipped: 0 };

async function show(run: FolderRun, others: readonly FolderRun[]): Promise<void> {
  const tally = await run.show(others);
  total.passed += tally.passed;
  total.failed += tally.failed;
  total.skipped += tally.skipped;
}

for (const folder of chosen) if (folder !== besideFolder) await show(new FolderRun(folder, 0), beside);
for (const run of beside) await show(run, []);
console.log(`\n${formatTally(total)}`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
