/** Where engines keep what ends with the machine's run: /run, which is in memory on every machine that systemd has started. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync } from "node:fs";

/** statfs(2) */
const TMPFS_MAGIC = 0x01021994;

export interface RunDirectory extends Disposable {
  readonly path: string;
}

/** A new one below /run, for Orlop and its peers alike; in memory too where /run is on a disk. */
export function makeRunDirectory(): RunDirectory {
  const path = mkdtempSync("/run/orlop-bench-");
  const isMounted = statfsSync(path).type !== TMPFS_MAGIC;
  if (isMounted) execFileSync("mount", ["-t", "tmpfs", "-o", "mode=711", "orlop-bench", path]);
  return {
    path,
    [Symbol.dispose]: () => {
      if (isMounted) execFileSync("umount", ["-l", path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}
