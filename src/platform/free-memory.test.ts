import { expect, test } from "bun:test";
import { readFileSync, realpathSync } from "node:fs";
import { cleanParts } from "./free-memory.ts";

const mapping = (head: string, anonymous: number): string =>
  `${head}\nSize:    512 kB\nRss:    64 kB\nAnonymous:   ${anonymous} kB\nVmFlags: rd mr mw me sd\n`;

test("parts that can be mapped again from the file: not those that are writable, were written, or are another's", () => {
  const smaps = [
    mapping("00200000-01a41000 r--p 00000000 fe:01 4242                               /opt/a b/program", 0),
    mapping("01a42000-06849000 r-xp 01841000 fe:01 4242                               /opt/a b/program", 0),
    mapping("06849000-0684c000 r--p 06647000 fe:01 4242                               /opt/a b/program", 12),
    mapping("0684c000-07052000 rw-p 0664a000 fe:01 4242                               /opt/a b/program", 0),
    mapping("7f0000000000-7f0000001000 r-xp 00000000 fe:01 17                         /usr/lib/libc.so.6", 0),
    mapping("7f1000000000-7f1000001000 r--p 00000000 00:00 0", 0),
    mapping("7ffc0a9b8000-7ffc0a9bc000 r--p 00000000 00:00 0                          [vvar]", 0),
  ].join("");
  expect(cleanParts(smaps, "/opt/a b/program")).toEqual([
    { start: 0x200000n, size: 0x1841000n },
    { start: 0x1a42000n, size: 0x4e07000n },
  ]);
});

test("the program that runs this has some", () => {
  const parts = cleanParts(readFileSync("/proc/self/smaps", "utf8"), realpathSync(process.execPath));
  expect(parts.length).toBeGreaterThan(0);
});
