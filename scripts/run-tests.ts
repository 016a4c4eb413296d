/** Runs every test, folder by folder, one after the other: kernel tests must not disturb each other's timing. Arguments choose folders. */

import { readdirSync } from "node:fs";
import { join } from "node:path";

interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const root = join(import.meta.dir, "..");
const bun = join(root, "node_modules/.bin/bun");

/** Where a test says nothing else: a bound for one that hangs, not a measure of a busy machine. */
const testMs = 120_000;

/** So long what a run said at last may take to come, once it has ended. */
const reportMs = 5000;

/** After so long without a word, how far it is. */
const quietMs = 10_000;

/** Cheap ones first, so that a plain mistake shows early. A folder that is not named here comes after these. */
const firstFolders = ["src", "test", "test/conformance", "test/kernel"];

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

/** What `bun test` is told to run. */
function filesOf(folder: string): string[] {
  if (folder !== "test") return [`./${folder}`];
  const names = readdirSync(join(root, folder)).filter((name) => name.endsWith(".test.ts"));
  return names.map((name) => `./test/${name}`);
}

/** The closing lines of `bun test`. A run that died has none, and counts as one failure. */
function parseTally(output: string, exitCode: number): Tally {
  const number = (word: string): number => Number(new RegExp(`^\\s*(\\d+) ${word}$`, "m").exec(output)?.[1] ?? 0);
  const tally = { passed: number("pass"), failed: number("fail"), skipped: number("skip") };
  const errors = exitCode !== 0 && tally.failed === 0 ? 1 : 0;
  return { ...tally, failed: tally.failed + errors };
}

/** Lines of bun's report that say nothing a person waits for: a test that passed or was skipped, and the files' names. */
const quietly = /^\((pass|skip|todo)\) /;
const ofFile = /^(|\S+\.test\.ts:)$/;

async function runFolder(folder: string): Promise<Tally> {
  console.log(`\n── ${folder} ──`);
  const began = performance.now();
  const child = Bun.spawn([bun, "test", `--timeout=${testMs}`, ...filesOf(folder)], {
    cwd: root,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "pipe", // bun's test report
    env: { ...process.env, NO_COLOR: "1" },
  });
  const report = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  const seconds = (): string => ((performance.now() - began) / 1000).toFixed(1);
  let output = "";
  let passed = 0;
  let line = "";
  const say = (text: string): void => {
    process.stdout.write(text);
    quiet.refresh();
  };
  const quiet = setInterval(() => console.log(`${folder}: ${passed} passed so far (${seconds()} s)`), quietMs);
  const read = async (): Promise<void> => {
    for (let next = await report.read(); !next.done; next = await report.read()) {
      output += next.value;
      const lines = (line + next.value).split("\n");
      line = lines.pop() ?? "";
      passed += lines.filter((one) => one.startsWith("(pass) ")).length;
      const worth = lines.filter((one) => !quietly.test(one) && !ofFile.test(one));
      if (worth.length > 0) say(`${worth.join("\n")}\n`);
    }
    say(line);
  };
  // Not to its end alone: what a failed test left running may hold the pipe open for good.
  const exited = child.exited.then(() => Bun.sleep(reportMs));
  await Promise.race([read(), exited]);
  const tally = parseTally(output, await child.exited);
  void report.cancel();
  clearInterval(quiet);
  console.log(`${folder}: ${formatTally(tally)} (${seconds()} s)`);
  return tally;
}

function formatTally({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

const wanted = process.argv.slice(2);
const folders = testFolders().filter((folder) => wanted.length === 0 || wanted.includes(folder));
const total = { passed: 0, failed: 0, skipped: 0 };
for (const folder of folders) {
  const tally = await runFolder(folder);
  total.passed += tally.passed;
  total.failed += tally.failed;
  total.skipped += tally.skipped;
}
console.log(`\n${formatTally(total)}`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
