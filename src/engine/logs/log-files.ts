/** A log's files: the one that is written to, and the rotated ones before it (PATH.1 is younger than PATH.2). */

import { type FileHandle, open } from "node:fs/promises";

export interface LogFile {
  readonly handle: FileHandle;
  readonly inode: bigint;
}

/** Rotation keeps at most 9999 files, and numbers them without gaps. */
const FILES_MAX = 10_000;

/**
 * Opens every file that is younger than the one of this inode (all without one, or when it was rotated away), oldest first.
 * They stay readable when they are rotated or removed meanwhile.
 */
export async function openLogFiles(path: string, after?: bigint): Promise<LogFile[]> {
  const files: LogFile[] = [];
  let missing = 0;
  for (let number = 0; number < FILES_MAX; number++) {
    const file = await openOne(number === 0 ? path : `${path}.${number}`);
    if (file === undefined) {
      // One may be missing for an instant, between two renames of a rotation: its next younger one takes its name.
      if (++missing > 1) break;
      continue;
    }
    missing = 0;
    // Rotated while we went through them: this one was there under its younger name.
    const isKnown = files.some(({ inode }) => inode === file.inode);
    if (isKnown || file.inode === after) await file.handle.close();
    else files.unshift(file);
    if (file.inode === after) break;
  }
  return files;
}

async function openOne(path: string): Promise<LogFile | undefined> {
  try {
    const handle = await open(path, "r");
    const { ino } = await handle.stat({ bigint: true });
    return { handle, inode: ino };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
