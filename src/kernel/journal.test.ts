import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasJournal } from "./journal.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "orlop-journal-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** A kernel on which the file system of `directory` is on the device "sdz1". */
function kernelWith(name: string, ...journals: readonly string[]) {
  const own = join(directory, name);
  const { dev } = statSync(directory);
  for (const path of ["dev/sdz1", "devices", "journals"]) mkdirSync(join(own, path), { recursive: true });
  symlinkSync("../dev/sdz1", join(own, "devices", `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`));
  for (const journal of journals) mkdirSync(join(own, "journals", journal));
  return { devices: join(own, "devices"), journals: join(own, "journals") };
}

test("a file system has a journal when the kernel shows one of its very device", () => {
  expect(hasJournal(directory, kernelWith("with", "sda-8", "sdz1-8"))).toBe(true);
  expect(hasJournal(directory, kernelWith("others", "sda-8", "sdz10-8"))).toBe(false);
});

test("where no device or no journal is shown there is none", () => {
  const { journals } = kernelWith("unknown", "sdz1-8");
  expect(hasJournal(directory, { devices: "/nowhere", journals })).toBe(false);
  expect(hasJournal(directory, { ...kernelWith("none"), journals: "/nowhere" })).toBe(false);
});
