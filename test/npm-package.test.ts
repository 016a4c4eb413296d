/** What `npm pack` makes: everything that a build needs is in it, and bun is all that has to be beside it. */

import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../package.json";

const repository = join(import.meta.dir, "..");

test("the package builds where it was installed, and is the program", () => {
  const directory = mkdtempSync(join(tmpdir(), "orlop-package-"));
  const place = join(directory, "node_modules/orlop");
  const run = (...[program = "", ...words]: string[]) =>
    execFileSync(program, words, { cwd: repository, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  try {
    const archive = run(
      "npm",
      "pack",
      "--ignore-scripts",
      "--loglevel=error",
      `--pack-destination=${directory}`,
    ).trim();
    mkdirSync(place, { recursive: true });
    run("tar", "-xzf", join(directory, archive), "-C", place, "--strip-components=1");
    symlinkSync(join(repository, "node_modules/bun"), join(directory, "node_modules/bun"));
    mkdirSync(join(directory, "node_modules/.bin"));
    symlinkSync("../orlop/orlop", join(directory, "node_modules/.bin/orlop"));
    expect(run(join(directory, "node_modules/.bin/orlop"), "version")).toContain(version);
    expect(existsSync(join(place, "dist/orlop-executor"))).toBe(true);
    for (const absent of ["test", "bench", "package-lock.json", "src/boundaries.test.ts"])
      expect(existsSync(join(place, absent))).toBe(false);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 120_000);
