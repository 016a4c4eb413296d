/** Runs the command line as a process of its own, against an engine that the test made. */

import { join } from "node:path";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `orlop --host SOCKET WORDS`; `stdin` is given whole, and ends. */
export function startOrlop(socketPath: string, words: readonly string[], stdin = "") {
  return Bun.spawn(
    [process.execPath, join(import.meta.dir, "../../src/main.ts"), "--host", `unix://${socketPath}`, ...words],
    {
      stdin: Buffer.from(stdin),
      stdout: "pipe",
      stderr: "pipe",
      env: { PATH: process.env["PATH"] ?? "" },
    },
  );
}

export async function outcomeOf(child: ReturnType<typeof startOrlop>): Promise<Outcome> {
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

export function orlop(socketPath: string, words: readonly string[], stdin = ""): Promise<Outcome> {
  return outcomeOf(startOrlop(socketPath, words, stdin));
}
