/** A root file system with busybox alone: the same for every peer. */

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, realpathSync, symlinkSync } from "node:fs";
import { join } from "node:path";

export interface Bundle {
  /** Holds rootfs/; where an OCI config.json goes. */
  readonly directory: string;
  readonly rootfs: string;
  /** The same as an archive, for engines that import images. */
  readonly archive: string;
}

export function makeBundle(directory: string): Bundle {
  const rootfs = join(directory, "rootfs");
  for (const folder of ["bin", "dev", "etc", "proc", "sys", "tmp"])
    mkdirSync(join(rootfs, folder), { recursive: true });
  cpSync(realpathSync(Bun.which("busybox") ?? "/bin/busybox"), join(rootfs, "bin/busybox"));
  for (const applet of ["sh", "true", "sleep"]) symlinkSync("busybox", join(rootfs, "bin", applet));
  const archive = join(directory, "rootfs.tar");
  execFileSync("tar", ["-C", rootfs, "-cf", archive, "."]);
  return { directory, rootfs, archive };
}
