/** Whether ext4 has a journal: if it has, an inode number can be reused at once. */

import { readdirSync, realpathSync, statSync } from "node:fs";
import { basename } from "node:path";

/** Where the kernel lists block devices by number, and active journals by their device's name ("vda-8"). */
const kernelsOwn = { devices: "/sys/dev/block", journals: "/proc/fs/jbd2" };

/** Of the file system of this path; false also when it cannot be determined. */
export function hasJournal(path: string, { devices, journals } = kernelsOwn): boolean {
  const { dev } = statSync(path);
  try {
    const name = basename(realpathSync(`${devices}/${majorOf(dev)}:${minorOf(dev)}`));
    return readdirSync(journals).some((journal) => journal.startsWith(`${name}-`));
  } catch {
    return false; // not on a block device, or jbd2 has no journals
  }
}

// makedev(3), as stat(2) gives it
const majorOf = (dev: number): number => (dev >> 8) & 0xfff;
const minorOf = (dev: number): number => (dev & 0xff) | ((dev >> 12) & 0xfff00);
