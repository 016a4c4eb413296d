/** Whether the machine was started since an engine last ran with this state. */

import { readFileSync, writeFileSync } from "node:fs";
import { readText } from "./machine.ts";
import type { Places } from "./places.ts";

/** Writes down which boot this is. @returns whether it is another one than the last time; false the first time */
export function noteBoot(
  { stateDir }: Places,
  bootId: string = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
): boolean {
  const path = `${stateDir}/boot-id`;
  const known = readText(path)?.trim();
  if (known !== bootId) writeFileSync(path, `${bootId}\n`, { mode: 0o600 });
  return known !== undefined && known !== "" && known !== bootId;
}
