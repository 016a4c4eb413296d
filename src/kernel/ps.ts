/** Runs the machine's `ps`, for columns that `top` does not make itself. Its output and its time are bounded. */

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { OrlopError } from "../base/errors.ts";

const places = ["/usr/bin/ps", "/bin/ps", "/usr/local/bin/ps"];

/** ps can block on a process that holds its mmap lock while it waits in the kernel. */
const PATIENCE_MS = 5000;
const OUTPUT_MAX_BYTES = 32 * 1024 * 1024;

/** Where `ps` is; undefined on a machine without it. */
export function findPs(): string | undefined {
  return places.find((path) => existsSync(path));
}

/** Returns what it prints. @throws {OrlopError} ps_failed: with its first line of standard error */
export function runPs(program: string, words: readonly string[]): Promise<string> {
  const options = { env: {}, timeout: PATIENCE_MS, killSignal: "SIGKILL", maxBuffer: OUTPUT_MAX_BYTES } as const;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  execFile(program, words, options, (error, stdout, stderr) => {
    if (error === null) return resolve(stdout);
    reject(OrlopError.of("ps_failed", { reason: stderr.split("\n")[0] || error.message }, error));
  });
  return promise;
}
