/** A log's files: PATH, to which the monitor writes, and the rotated ones (PATH.1 is younger than PATH.2). */

import { type FileHandle, open, stat } from "node:fs/promises";

export interface LogFile {
  readonly handle: FileHandle;
  readonly inode: bigint;
}

/** Rotation keeps at most 9999 files, and numbers them without gaps. */
const FILES_MAX = 10_000;
/** How often a name is looked up again that may be missing between two renames of a rotation (or for good, if the monitor was killed there). */
const GAP_TRIES = 50;

/**
 * Opens every file that is younger than the one with this inode, oldest first; all files if there is no inode, or its file was removed by
 * rotation. Open files stay readable when they are rotated or removed.
 *
 * Rotations may happen meanwhile, and each increments every file's number. So the file before one is the file with the next higher number,
 * provided that the one was found under its own number both before and after. Numbers only grow.
 */
export async function openLogFiles(path: string, after?: bigint): Promise<LogFile[]> {
  const files: LogFile[] = [];
  let number = 0;
  let next = await openYoungest(path);
  while (next !== undefined) {
    if (next.inode === after) {
      await next.handle.close();
      break;
    }
    files.unshift(next);
    const before = await openBefore(path, next.inode, number);
    number = before.number;
    next = before.file;
  }
  return files;
}

const nameOf = (path: string, number: number): string => (number === 0 ? path : `${path}.${number}`);

/** undefined if it does not exist. */
async function openYoungest(path: string): Promise<LogFile | undefined> {
  for (let tries = 0; ; tries++) {
    const file = await openOne(path);
    if (file !== undefined || (await inodeOf(nameOf(path, 1))) === undefined) return file;
    if (tries === GAP_TRIES) return openOne(nameOf(path, 1));
  }
}

/**
 * The file that was written before the one with this inode; undefined if there is none, or both were removed by rotation.
 *
 * @param number that one's number, or one that it has had
 */
async function openBefore(
  path: string,
  inode: bigint,
  number: number,
): Promise<{ file?: LogFile | undefined; number: number }> {
  for (let tries = 0; ; ) {
    const at = await numberOf(path, inode, number);
    if (at === undefined) return { number };
    const file = await openOne(nameOf(path, at + 1));
    if ((await inodeOf(nameOf(path, at))) !== inode) {
      await file?.handle.close(); // a rotation happened in between
      continue;
    }
    if (file !== undefined) return { file, number: at + 1 };
    // Either the last file, or a rotation is under way: the one before it has its new number, and this one will get its own in a moment.
    if ((await inodeOf(nameOf(path, at + 2))) === undefined) return { number: at };
    if (++tries > GAP_TRIES) return { file: await openOne(nameOf(path, at + 2)), number: at + 2 };
  }
}

/** The number of a file; undefined if it does not exist any more. @param from the number is this or a higher one */
async function numberOf(path: string, inode: bigint, from: number): Promise<number | undefined> {
  let missing = 0;
  for (let number = from; number < FILES_MAX && missing < 2; number++) {
    const found = await inodeOf(nameOf(path, number));
    if (found === inode) return number;
    missing = found === undefined ? missing + 1 : 0;
  }
  return undefined;
}

/** undefined if the name does not exist. */
function inodeOf(path: string): Promise<bigint | undefined> {
  return stat(path, { bigint: true }).then(
    ({ ino }) => ino,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    },
  );
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
