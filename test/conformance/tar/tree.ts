/** Random trees with everything a tar archive can hold, and what the file system then says about them. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** A small seeded generator (mulberry32), so that a failing tree can be made again. */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

export interface TreeOptions {
  /** Names over 100 bytes, which ustar and v7 cannot always hold. */
  readonly longNames: boolean;
  readonly xattrs: boolean;
  readonly sparse: boolean;
  readonly special?: false;
}

/** Fills an empty directory. Needs root for device nodes and security.* attributes. */
export function makeTree(root: string, random: (below: number) => number, options: TreeOptions): void {
  const directories = [root];
  const files: string[] = [];
  const pick = (): string => directories[random(directories.length)] as string;
  for (let i = 0; i < 30; i++) {
    const path = join(pick(), nameOf(random, i, options.longNames));
    const what = random(9);
    if (what <= 1) {
      mkdirSync(path);
      directories.push(path);
    } else if (what <= 4) {
      writeFileSync(path, Buffer.alloc(random(3) === 0 ? 0 : random(70_000), 1 + random(255)));
      files.push(path);
    } else if (what === 5) symlinkSync(options.longNames ? `../${"t".repeat(random(300))}` : "../target", path);
    else if (what === 6 && files.length > 0) linkSync(files[random(files.length)] as string, path);
    else if (what === 7 && options.special !== false)
      execFileSync("mknod", random(2) === 0 ? [path, "p"] : [path, "c", "1", String(random(9))]);
    else if (options.sparse) {
      makeSparse(path, random);
      files.push(path);
    }
  }
  decorate(root, random, options);
}

function nameOf(random: (below: number) => number, i: number, long: boolean): string {
  const unusual = ["", " with blanks", "ünï", "%41", "=eq=", "-dash"][random(6)] as string;
  return `${i}${unusual}${long && random(3) === 0 ? "x".repeat(80 + random(150)) : ""}`;
}

function makeSparse(path: string, random: (below: number) => number): void {
  const fd = openSync(path, "w");
  const pieces = 1 + random(40);
  for (let i = 0; i < pieces; i++) writeSync(fd, Buffer.alloc(4096, i + 1), 0, 4096, i * 65_536);
  ftruncateSync(fd, pieces * 65_536 + random(100_000));
  closeSync(fd);
}

function decorate(directory: string, random: (below: number) => number, options: TreeOptions): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) decorate(path, random, options);
    if (!entry.isSymbolicLink()) chmodSync(path, random(0o10000));
    if (options.xattrs && entry.isFile() && random(2) === 0) {
      const value = `0x${"00ff3d0a".repeat(1 + random(20))}`;
      execFileSync("setfattr", ["-n", "user.note", "-v", value, path]);
    }
    const seconds = 1_000_000_000 + random(700_000_000);
    lutimesSync(path, seconds, seconds);
  }
}

/** One line per file: everything that must survive an archive. Hard links by the first path that has the inode. */
export function describeTree(root: string): string[] {
  const inodes = new Map<bigint, string>();
  const lines: string[] = [];
  const walk = (relative: string): void => {
    for (const name of readdirSync(join(root, relative)).sort()) {
      const path = relative === "" ? name : `${relative}/${name}`;
      const full = join(root, path);
      const stat = lstatSync(full, { bigint: true });
      const first = stat.isDirectory() || stat.nlink === 1n ? undefined : inodes.get(stat.ino);
      if (first === undefined) inodes.set(stat.ino, path);
      const what = stat.isSymbolicLink()
        ? `link ${readlinkSync(full)}`
        : stat.isFile()
          ? `file ${stat.size} ${Bun.hash(readFileSync(full))}`
          : stat.isDirectory()
            ? "directory"
            : `special ${stat.rdev}`;
      lines.push(`${path} ${stat.mode.toString(8)} ${stat.uid}:${stat.gid} ${stat.mtimeNs} ${what} = ${first ?? path}`);
      if (stat.isDirectory()) walk(path);
    }
  };
  walk("");
  return lines;
}
