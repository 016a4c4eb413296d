/** A root file system with busybox as every command, and nothing else. */

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** @returns the root, made in `directory` */
export function makeBusyboxRoot(directory: string): string {
  const root = join(directory, "rootfs");
  for (const name of ["bin", "dev", "etc", "proc", "sys", "tmp"]) mkdirSync(join(root, name), { recursive: true });
  const busybox = join(root, "bin/busybox");
  copyFileSync(realpathSync(Bun.which("busybox") ?? "/bin/busybox"), busybox);
  execFileSync(busybox, ["--install", join(root, "bin")]);
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nworker:x:1000:1000::/:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\nworker:x:1000:\n");
  return root;
}
