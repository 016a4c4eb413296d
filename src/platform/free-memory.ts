/** Gives back what a program needs only while it works. Elsewhere: `global.gc`, and nothing for the rest. */

import { dlopen } from "bun:ffi";
import { readFileSync } from "node:fs";

const MADV_DONTNEED = 4;

const { symbols: libc } = dlopen("libc.so.6", { madvise: { args: ["u64", "u64", "i32"], returns: "i32" } });

/**
 * Compiled code and everything unreachable goes; code is compiled again when it is called again. Then the program's own pages are
 * unmapped: they stay in the kernel's cache for as long as there is room, and what is touched again is mapped again from there.
 */
export async function freeMemory(): Promise<void> {
  Bun.shrink(); // done when no JavaScript runs
  await new Promise((resolve) => setTimeout(resolve, 0));
  for (const { start, size } of cleanParts(readFileSync("/proc/self/smaps", "utf8"), process.execPath))
    libc.madvise(start, size, MADV_DONTNEED);
}

export interface MemoryPart {
  readonly start: bigint;
  readonly size: bigint;
}

/** Where this file is mapped, nothing can be written, and nothing was (relocations are): else it would be lost. proc_pid_smaps(5). */
export function cleanParts(smaps: string, path: string): MemoryPart[] {
  return smaps.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/).flatMap((text) => {
    const [, start, end, writable, name] = /^([0-9a-f]+)-([0-9a-f]+) .(.).. \S+ \S+ \d+ +(.*)$/m.exec(text) ?? [];
    const isClean = /^Anonymous: +0 kB$/m.test(text);
    if (start === undefined || name !== path || writable !== "-" || !isClean) return [];
    const first = BigInt(`0x${start}`);
    return [{ start: first, size: BigInt(`0x${end}`) - first }];
  });
}
