/**
 * Whether the machine has booted since an engine last ran with this state directory. A boot is recorded after everything that follows
 * from it (restarts of containers) is recorded: if the engine dies before that, the next one begins again.
 */

import { readFileSync } from "node:fs";
import { replaceFile } from "../store/replace-file.ts";
import { readText } from "./machine.ts";
import type { Places } from "./places.ts";

/** False also when no boot was recorded yet. */
export function isAfterBoot({ stateDir }: Places): boolean {
  const known = readText(pathIn(stateDir));
  return known !== undefined && known.trim() !== currentBoot();
}

/** Synced to the disk when it returns, so that containers that clients see after this are restarted after a power loss. */
export function noteBoot({ stateDir }: Places): void {
  const path = pathIn(stateDir);
  if (readText(path)?.trim() !== currentBoot()) replaceFile(path, `${currentBoot()}\n`, 0o600);
}

function pathIn(stateDir: string): string {
  return `${stateDir}/boot-id`;
}

function currentBoot(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
