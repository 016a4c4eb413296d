/**
 * Whether the machine was started since an engine last ran with this state. A boot is noted once everything that follows from it
 * is written down: an engine that dies before leaves it to the next one.
 */

import { readFileSync } from "node:fs";
import { replaceFile } from "../store/replace-file.ts";
import { readText } from "./machine.ts";
import type { Places } from "./places.ts";

/** Another boot than the one that is noted; false where none is. */
export function isAfterBoot({ stateDir }: Places): boolean {
  const known = readText(pathIn(stateDir));
  return known !== undefined && known.trim() !== currentBoot();
}

/** On the disk when it returns: who is told of a container after this finds it started again after a power loss. */
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
