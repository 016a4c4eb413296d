/** crun and runc: `run` of a bundle, which is a runtime's whole job without an engine above it. */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bundle } from "./bundle.ts";
import { commandCase, type Peer, versionOf } from "./case.ts";

/** undefined when it is not installed. */
export function openRuntime(program: "crun" | "runc", bundle: Bundle, runDir: string): Peer | undefined {
  if (Bun.which(program) === null) return undefined;
  writeConfig(program, bundle.directory);
  const state = join(runDir, program);
  const command = [program, "--root", state, "run", "--bundle", bundle.directory, `orlop-bench-${program}-{}`];
  return {
    version: versionOf(program),
    cases: [commandCase(`${program} run`, command)],
    [Symbol.asyncDispose]: async () => undefined, // each run removes what it made
  };
}

/** The runtime's own example configuration, which is Docker's default container but for the terminal. */
function writeConfig(program: string, directory: string): void {
  const path = join(directory, "config.json");
  if (!existsSync(path)) execFileSync(program, ["spec"], { cwd: directory });
  const config = JSON.parse(readFileSync(path, "utf8"));
  config.process.terminal = false;
  config.process.args = ["/bin/true"];
  writeFileSync(path, JSON.stringify(config));
}
