/** Starts an engine: runs this package's own program, which builds itself first where that was not done yet. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { OrlopError } from "../base/errors.ts";
import type { Places } from "../client/address.ts";

export interface EngineStart extends Places {
  /** The `orlop` program. */
  readonly program: string;
  /** Told each line that the program says meanwhile. */
  readonly onMessage: (line: string) => void;
}

/** The program of the package that this file is in. */
export function ownProgram(): string {
  for (let directory = dirname(fileURLToPath(import.meta.url)); ; directory = dirname(directory))
    if (existsSync(join(directory, "package.json")) || directory === "/") return join(directory, "orlop");
}

/** Resolves when it listens. @throws {OrlopError} engine_unreachable, with what the program said */
export async function startEngine({ program, runDir, stateDir, onMessage }: EngineStart): Promise<void> {
  const words = ["--run-dir", runDir, "--root", stateDir, "info"];
  const child = spawn(program, words, { stdio: ["ignore", "ignore", "pipe"] });
  let last = "";
  createInterface({ input: child.stderr }).on("line", (line) => {
    last = line;
    onMessage(line);
  });
  const ended = await new Promise<string | number>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code ?? signal ?? ""));
  });
  if (ended === 0) return;
  const reason = last.replace(/^orlop: /, "") || `${program} ended with ${ended}`;
  throw OrlopError.of("engine_unreachable", { host: `unix://${runDir}/orlop.sock`, reason });
}
