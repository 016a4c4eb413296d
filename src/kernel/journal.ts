/** Whether ext4 keeps a journal: where it does, an inode's number can be given away again at once. */

import { readdirSync, realpathSync, statSync } from "node:fs";
import { basename } from "node:path";

/** Where the kernel shows block devices by number, and the journals that are in use by their device's name ("vda-8"). */
const kernelsOwn = { devices: "/sys/dev/block", journals: "/proc/fs/jbd2" };

/** Of the file system that holds this path; false too where that cannot be known. */
export function hasJournal(path: string, { devices, journals } = kernelsOwn): boolean {
  const { dev } = statSync(path);
  try {
    const name = basename(realpathSync(`${devices}/${majorOf(dev)}:${minorOf(dev)}`));
    return readdirSync(journals).some((journal) => journal.startsWith(`${name}-`));
  } catch {
    return false; // no block device, or a kernel in which nothing has a journal
  }
}

// makedev(3), as stat(2) gives it
const majorOf = (dev: number): number => (dev >> 8) & 0xfff;
const minorOf = (dev: number): number => (dev & 0xff) | ((dev >> 12) & 0xfff00);
