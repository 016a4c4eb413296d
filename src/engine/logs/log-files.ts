/** A log's files: the one that is written to, and the rotated ones before it (PATH.1 is younger than PATH.2). */

import { type FileHandle, open, stat } from "node:fs/promises";

export interface LogFile {
  readonly handle: FileHandle;
  readonly inode: bigint;
}

/** Rotation keeps at most 9999 files, and numbers them without gaps. */
const FILES_MAX = 10_000;
/** So often a name is looked at again that is missing between two renames of a rotation. A monitor that was killed there leaves it so. */
const GAP_TRIES = 50;

/**
 * Opens every file that is younger than the one of this inode (all without one, or when it was rotated away), oldest first.
 * They stay readable when they are rotated or removed meanwhile.
 *
 * Rotations may go on under it, several at a time, and each gives every file the next number. So the file before one is what has
 * the number behind it, as long as that one was found under its own number before and after. Numbers only grow.
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

/** undefined: there is none. */
async function openYoungest(path: string): Promise<LogFile | undefined> {
  for (let tries = 0; ; tries++) {
    const file = await openOne(path);
    if (file !== undefined || (await inodeOf(nameOf(path, 1))) === undefined) return file;
    if (tries === GAP_TRIES) return openOne(nameOf(path, 1));
  }
}

/**
 * The file that was written before the one of this inode; undefined: there is none, or both were rotated away.
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
      await file?.handle.close(); // a rotation came between
      continue;
    }
    if (file !== undefined) return { file, number: at + 1 };
    // The last one; or the one before it has just got its new number, and this one gets its own in a moment.
    if ((await inodeOf(nameOf(path, at + 2))) === undefined) return { number: at };
    if (++tries > GAP_TRIES) return { file: await openOne(nameOf(path, at + 2)), number: at + 2 };
  }
}

/** undefined: it is not there any more. @param from it has this number or a higher one */
async function numberOf(path: string, inode: bigint, from: number): Promise<number | undefined> {
  let missing = 0;
  for (let number = from; number < FILES_MAX && missing < 2; number++) {
    const found = await inodeOf(nameOf(path, number));
    if (found === inode) return number;
    missing = found === undefined ? missing + 1 : 0;
  }
  return undefined;
}

/** undefined: nothing has this name. */
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
