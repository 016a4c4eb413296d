/** Layers for tests: tar archives made by GNU tar. */

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";

/** A directory's content. */
function tarOfDirectory(directory: string): Buffer {
  const words = ["-C", directory, "--sort=name", "--numeric-owner", "--mtime=@1700000000", "-c", "."];
  return execFileSync("tar", words, { maxBuffer: 1 << 30 });
}

/** These files, with the directories that they stand in. */
export function tarOfFiles(files: Readonly<Record<string, string | Buffer>>): Buffer {
  const directory = mkdtempSync(join(tmpdir(), "orlop-layer-"));
  try {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), content);
    }
    return tarOfDirectory(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** A root with busybox as every command. */
export function busyboxLayer(): Buffer {
  const directory = mkdtempSync(join(tmpdir(), "orlop-layer-"));
  try {
    return tarOfDirectory(makeBusyboxRoot(directory));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
