/** The npm package as it is installed: packed, and unpacked beside what it depends on. */

import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

const repository = join(import.meta.dir, "..");

/** Installs the package into `directory`/node_modules. @returns where it lies */
export function installPackage(directory: string): string {
  const run = (program: string, ...words: string[]) =>
    execFileSync(program, words, { cwd: repository, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const archive = run("npm", "pack", "--silent", `--pack-destination=${directory}`).trim();
  const place = join(directory, "node_modules/orlop");
  mkdirSync(place, { recursive: true });
  run("tar", "-xzf", join(directory, archive), "-C", place, "--strip-components=1");
  symlinkSync(join(repository, "node_modules/bun"), join(directory, "node_modules/bun"));
  mkdirSync(join(directory, "node_modules/.bin"));
  symlinkSync("../orlop/orlop", join(directory, "node_modules/.bin/orlop"));
  return place;
}
