/** What is measured: one complete container life, or one command. */

import { execFileSync } from "node:child_process";

export interface Case {
  /** As it stands in the table. */
  readonly name: string;
  /** Once. Throws when it did not do what it should. */
  run(): Promise<void>;
}

/** A program under test, made ready and taken away again. */
export interface Peer extends AsyncDisposable {
  /** Name and version. */
  readonly version: string;
  readonly cases: readonly Case[];
}

/** A whole command: from before its start to after its end. "{}" in a word becomes a number, never the same twice. */
export function commandCase(
  name: string,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Case {
  let runs = 0;
  return {
    name,
    run() {
      const run = String(++runs);
      const words = command.map((word) => word.replace("{}", run));
      return runCommand(words, env);
    },
  };
}

export async function runCommand(
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const child = Bun.spawn([...command], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    env: { ...process.env, ...env },
  });
  const exitCode = await child.exited;
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${exitCode}: ${await new Response(child.stderr).text()}`);
}

/** The first line of `PROGRAM --version`. */
export function versionOf(program: string): string {
  return execFileSync(program, ["--version"], { encoding: "utf8" }).split("\n")[0] ?? program;
}
