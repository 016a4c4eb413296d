/** An archive's entries as lines in the shape of `describeTree`, so that a reader can be compared with a file system. */
import { type ByteString, bytesOf, type TarEntry, type TarKind } from "../../../src/spec/tar-entry.ts";
import { TarReader } from "../../../src/spec/tar-reader.ts";

export interface ReadEntry {
  readonly entry: TarEntry;
  readonly content: Buffer;
}

/** Everything in an archive, fed in pieces of these sizes (in turns). */
export function readTar(archive: Uint8Array, pieces: readonly number[] = [archive.length]): ReadEntry[] {
  const found: ReadEntry[] = [];
  const reader = new TarReader({
    entry: (entry) => found.push({ entry, content: Buffer.alloc(entry.size) }),
    data: (chunk, offset) => found.at(-1)?.content.set(chunk, offset),
    finish: () => undefined,
  });
  for (let at = 0, i = 0; at < archive.length; i++) {
    const size = pieces[i % pieces.length] as number;
    reader.write(archive.subarray(at, at + size));
    at += size;
  }
  reader.end();
  return found;
}

const typeBits: Record<Exclude<TarKind, "hardlink">, number> = {
  file: 0o100000,
  directory: 0o40000,
  symlink: 0o120000,
  character: 0o20000,
  block: 0o60000,
  fifo: 0o10000,
};

/** As `describeTree` would describe these entries once unpacked. */
export function describeEntries(entries: readonly ReadEntry[]): string[] {
  const byPath = new Map<ByteString, ReadEntry>();
  for (const read of entries) byPath.set(cleanPath(read.entry.path), read);
  byPath.delete("." as ByteString);
  byPath.delete("" as ByteString);
  const describe = ([path, read]: [ByteString, ReadEntry]): string => {
    const link = read.entry.kind === "hardlink" ? cleanPath(read.entry.link) : undefined;
    const { entry, content } = link === undefined ? read : (byPath.get(link) as ReadEntry);
    const kind = entry.kind as Exclude<TarKind, "hardlink">;
    const what = {
      file: `file ${entry.size} ${Bun.hash(content)}`,
      directory: "directory",
      symlink: `link ${bytesOf(entry.link).toString()}`,
      character: `special ${entry.major * 256 + entry.minor}`,
      block: `special ${entry.major * 256 + entry.minor}`,
      fifo: "special 0",
    }[kind];
    const mode = kind === "symlink" ? 0o777 : entry.mode;
    const same = bytesOf(link ?? path).toString();
    return `${bytesOf(path)} ${(typeBits[kind] + mode).toString(8)} ${entry.uid}:${entry.gid} ${entry.mtimeNs} ${what} = ${same}`;
  };
  return [...byPath].map(describe);
}

function cleanPath(path: ByteString): ByteString {
  return path.replace(/^(\.\/)+/, "").replace(/\/+$/, "") as ByteString;
}
