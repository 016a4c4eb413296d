/** `ps` of this machine: it knows more columns than `top` makes itself. What it prints is bounded, and so is its time. */

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { OrlopError } from "../base/errors.ts";

const places = ["/usr/bin/ps", "/bin/ps", "/usr/local/bin/ps"];

/** A process that waits in the kernel may have locked what ps reads of it. */
const PATIENCE_MS = 5000;
const OUTPUT_MAX_BYTES = 32 * 1024 * 1024;

/** Where `ps` is; undefined on a machine without it. */
export function findPs(): string | undefined {
  return places.find((path) => existsSync(path));
}

/** What it prints. @throws {OrlopError} ps_failed: its own words */
export function runPs(program: string, words: readonly string[]): Promise<string> {
  const options = { env: {}, timeout: PATIENCE_MS, killSignal: "SIGKILL", maxBuffer: OUTPUT_MAX_BYTES } as const;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  execFile(program, words, options, (error, stdout, stderr) => {
    if (error === null) return resolve(stdout);
    reject(OrlopError.of("ps_failed", { reason: stderr.split("\n")[0] || error.message }, error));
  });
  return promise;
}
