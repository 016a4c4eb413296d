/** One folder's `bun test`. What it says is kept until it is shown: two may run at the same time, and are read one after the other. */

import { readdirSync } from "node:fs";
import { join } from "node:path";

export interface Tally {
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

/** Lines of bun's report that say nothing a person waits for: a test that passed or was skipped, and the files' names. */
const quietly = /^\((pass|skip|todo)\) /;
const ofFile = /^(|\S+\.test\.ts:)$/;

const textOf = (stream: ReadableStream<Uint8Array<ArrayBuffer>>) =>
  stream.pipeThrough(new TextDecoderStream()).getReader();
type TextReader = ReturnType<typeof textOf>;

/** It runs from the beginning, shown or not. */
export class FolderRun {
  readonly #folder: string;
  readonly #beganMs = performance.now();
  readonly #tally: Promise<Tally>;
  readonly #readers: readonly TextReader[];
  #tookMs: number | undefined;
  #report = "";
  #passed = 0;
  #failed = 0;
  /** Said and not shown yet. */
  #kept = "";
  #say = (text: string): void => {
    this.#kept += text;
  };

  /** @param niceness 0 to 19, the least urgent */
  constructor(folder: string, niceness: number) {
    this.#folder = folder;
    const words = ["nice", "-n", `${niceness}`, bun, "test", `--timeout=${testMs}`, ...filesOf(folder)];
    const child = Bun.spawn(words, {
      cwd: root,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe", // bun's test report
      env: { ...process.env, NO_COLOR: "1" },
    });
    this.#readers = [child.stdout, child.stderr].map(textOf);
    this.#tally = this.#runToEnd(child.exited);
  }

  /** What it has said, and then what it says as it comes, to its end; with how far this and `others` are, where all is quiet. */
  async show(others: readonly FolderRun[]): Promise<Tally> {
    console.log(`\n── ${this.#folder} ──`);
    const quiet = setInterval(() => console.log([this, ...others].map((run) => run.#progress()).join("; ")), quietMs);
    this.#say = (text) => {
      process.stdout.write(text);
      quiet.refresh();
    };
    this.#say(this.#kept);
    const tally = await this.#tally;
    clearInterval(quiet);
    console.log(`${this.#folder}: ${formatTally(tally)} (${this.#seconds()})`);
    return tally;
  }

  async #runToEnd(exited: Promise<number>): Promise<Tally> {
    const [said, report] = this.#readers;
    const read = Promise.all([
      readLines(said, (lines) => this.#say(lines.join(""))),
      readLines(report, (lines) => this.#take(lines)),
    ]);
    // Not to its end alone: what a failed test left running may hold the pipes open for good.
    await Promise.race([read, exited.then(() => Bun.sleep(reportMs))]);
    for (const reader of this.#readers) void reader.cancel();
    this.#tookMs = performance.now() - this.#beganMs;
    return parseTally(this.#report, await exited);
  }

  #take(lines: readonly string[]): void {
    this.#report += lines.join("");
    this.#passed += lines.filter((line) => line.startsWith("(pass) ")).length;
    this.#failed += lines.filter((line) => line.startsWith("(fail) ")).length;
    const worth = lines.filter((line) => !quietly.test(line) && !ofFile.test(line.trimEnd()));
    if (worth.length > 0) this.#say(worth.join(""));
  }

  #progress(): string {
    const failed = this.#failed > 0 ? `, ${this.#failed} failed` : "";
    const soFar = this.#tookMs === undefined ? "so far" : "in all";
    return `${this.#folder}: ${this.#passed} passed${failed} ${soFar} (${this.#seconds()})`;
  }

  #seconds(): string {
    return `${((this.#tookMs ?? performance.now() - this.#beganMs) / 1000).toFixed(1)} s`;
  }
}

export function formatTally({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** What `bun test` is told to run. "test" means the files directly in it. */
function filesOf(folder: string): string[] {
  if (folder !== "test") return [`./${folder}`];
  const names = readdirSync(join(root, folder)).filter((name) => name.endsWith(".test.ts"));
  return names.map((name) => `./test/${name}`);
}

/** Gives all whole lines that came together; of the last one what there is. */
async function readLines(reader: TextReader | undefined, take: (lines: readonly string[]) => void): Promise<void> {
  let rest = "";
  for (let next = await reader?.read(); next !== undefined && !next.done; next = await reader?.read()) {
    const lines = (rest + next.value).split(/(?<=\n)/);
    rest = lines.at(-1)?.endsWith("\n") ? "" : (lines.pop() ?? "");
    take(lines);
  }
  if (rest !== "") take([rest]);
}

/** The closing lines of `bun test`. A run that died has none, and counts as one failure. */
function parseTally(report: string, exitCode: number): Tally {
  const number = (word: string): number => Number(new RegExp(`^\\s*(\\d+) ${word}$`, "m").exec(report)?.[1] ?? 0);
  const tally = { passed: number("pass"), failed: number("fail"), skipped: number("skip") };
  const errors = exitCode !== 0 && tally.failed === 0 ? 1 : 0;
  return { ...tally, failed: tally.failed + errors };
}
