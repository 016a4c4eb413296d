/** What `npm pack` makes: everything that a build needs is in it, and bun is all that has to be beside it. */

import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../package.json";
import { installPackage } from "./packed-package.ts";

test("the package builds where it was installed, and is the program", () => {
  const directory = mkdtempSync(join(tmpdir(), "orlop-package-"));
  try {
    const place = installPackage(directory);
    const program = join(directory, "node_modules/.bin/orlop");
    expect(execFileSync(program, ["version"], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })).toContain(
      version,
    );
    for (const present of ["dist/orlop-executor", "dist/modules/library/orlop.js", "dist/modules/library/orlop.d.ts"])
      expect([present, existsSync(join(place, present))]).toEqual([present, true]);
    for (const absent of ["test", "bench", "package-lock.json", "src/boundaries.test.ts"])
      expect([absent, existsSync(join(place, absent))]).toEqual([absent, false]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 120_000);
