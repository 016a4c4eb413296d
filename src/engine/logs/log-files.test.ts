import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LogFile, openLogFiles } from "./log-files.ts";

/** A log that holds which of its files it is: 0 is the oldest. */
class Rotating {
  readonly directory = mkdtempSync(join(tmpdir(), "orlop-log-files-"));
  readonly path = join(this.directory, "log");
  #count = 0;

  constructor(files: number) {
    writeFileSync(this.path, String(this.#count++));
    for (let file = 1; file < files; file++) this.rotate();
  }

  /** As native/log_file.c does it. */
  rotate(): void {
    writeFileSync(`${this.path}.new`, String(this.#count++));
    this.shift();
    renameSync(`${this.path}.new`, this.path);
  }

  shift(): void {
    const name = (number: number) => (number === 0 ? this.path : `${this.path}.${number}`);
    for (let to = this.#count; to > 0; to--) if (existsSync(name(to - 1))) renameSync(name(to - 1), name(to));
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}

async function contentOf(files: readonly LogFile[]): Promise<number[]> {
  const numbers: number[] = [];
  for (const { handle } of files) {
    numbers.push(Number(await handle.readFile("utf8")));
    await handle.close();
  }
  return numbers;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test.each(upTo(24))(
  "with two rotations behind turn %i of the loop files are in their order, none missing",
  async (turns) => {
    using log = new Rotating(5);
    const opening = openLogFiles(log.path);
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    log.rotate();
    log.rotate();
    const found = await contentOf(await opening);
    expect(found).toEqual(upTo(found.length));
    expect(found.length).toBeGreaterThanOrEqual(5);
  },
);

test("those behind one that was read are found, however often it was rotated since", async () => {
  using log = new Rotating(3);
  const files = await openLogFiles(log.path);
  const last = files.at(-1);
  await contentOf(files); // closes them
  for (let times = 0; times < 4; times++) log.rotate();
  expect(await contentOf(await openLogFiles(log.path, last?.inode))).toEqual([3, 4, 5, 6]);
});

test("what a monitor left that was killed in the middle of a rotation is read", async () => {
  using log = new Rotating(3);
  log.shift();
  expect(await contentOf(await openLogFiles(log.path))).toEqual([0, 1, 2]);
});
