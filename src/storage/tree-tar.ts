/**
 * Writes a tree's records as a tar archive. The archive is well formed even if the tree changes meanwhile: a file that became shorter
 * is filled with zeros, as GNU tar does.
 */
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from "../kernel/linux.ts";
import type { TreeNode, TreeRecord } from "../kernel/tree-record.ts";
import { type ByteString, type Extent, plainEntry, type TarEntry, type TarKind } from "../spec/tar-entry.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../spec/tar-writer.ts";

export interface TreeTarOptions {
  /** The name in the archive of the entry at `path` below the start; undefined leaves it out, but not entries in it. */
  readonly nameOf: (path: string, node: TreeNode) => string | undefined;
  /** Write whiteouts and opaque directories as image layers have them (OCI image-spec layer.md). */
  readonly isLayer?: boolean;
  /** Limits of what is remembered of the first names of files that have several. */
  readonly namesMaxBytes?: number;
}

/** A file with at least so many bytes of holes is written as sparse: not every reader supports it, and for less it hardly matters. */
export const sparseMinBytes = 16 << 20;

/** A container could make a million files with two names each, with paths of four thousand bytes. */
const namesMaxBytes = 128 << 20;
const nameBytes = 100;

const kindOf: Readonly<Record<number, TarKind>> = {
  [S_IFREG]: "file",
  [S_IFDIR]: "directory",
  [S_IFLNK]: "symlink",
  [S_IFCHR]: "character",
  [S_IFBLK]: "block",
  [S_IFIFO]: "fifo",
};

/** The archive, piece by piece, its end included. */
export async function* tarOfTree(
  batches: AsyncIterable<readonly TreeRecord[]>,
  options: TreeTarOptions,
): AsyncGenerator<Uint8Array, void> {
  const writer = new TreeTar(options);
  for await (const records of batches) {
    for (const record of records) writer.take(record);
    yield* writer.written();
  }
  writer.end();
  yield* writer.written();
}

/** A part of the output: bytes, or a number of zeros. */
type Piece = Uint8Array | number;

/** Collects the records of one entry, and writes it when its header is complete. */
export class TreeTar {
  readonly #options: TreeTarOptions;
  #pieces: Piece[] = [];
  /** The first name of each file that has several. Beyond the limits, further names become files of their own. */
  readonly #names = new Map<string, string>();
  #namesLeft: number;
  #node: TreeNode | undefined;
  #name: string | undefined;
  #xattrs: [ByteString, Uint8Array][] = [];
  #extents: Extent[] = [];
  #isSparse = false;
  #isBegun = false;
  #isLink = false;
  #count = 0;
  /** The last opaque directory; its entries follow it. */
  #opaque: string | undefined;
  /** Of the current entry's content: the size in its header, and how much was written. */
  #wanted = 0;
  #done = 0;

  constructor(options: TreeTarOptions) {
    this.#options = options;
    this.#namesLeft = options.namesMaxBytes ?? namesMaxBytes;
  }

  take(record: TreeRecord): void {
    switch (record.kind) {
      case "entry":
        this.#finish();
        this.#begin(record.node);
        break;
      case "attribute":
        if (isKept(record.name)) this.#xattrs.push([record.name as ByteString, record.value]);
        break;
      case "extent":
        this.#isSparse = true;
        this.#extents.push(record);
        break;
      case "content":
        this.#content(record.bytes);
        break;
      case "file-end":
        this.#isSparse ||= record.isSparse;
        break;
      case "walk-end":
        this.#finish();
    }
  }

  end(): void {
    this.#finish();
    this.#pieces.push(tarEnd);
  }

  /** The output that is ready. Zeros are made only as they are taken. */
  *written(): Generator<Uint8Array, void> {
    const ready: Uint8Array[] = [];
    for (const piece of this.#pieces.splice(0)) {
      if (typeof piece !== "number") {
        ready.push(piece);
        continue;
      }
      if (ready.length > 0) yield Buffer.concat(ready.splice(0));
      for (let left = piece; left > 0; left -= zeros.length) yield zeros.subarray(0, left);
    }
    if (ready.length > 0) yield Buffer.concat(ready);
  }

  /** How many entries were written. */
  get count(): number {
    return this.#count;
  }

  #begin(node: TreeNode): void {
    if (this.#options.isLayer === true && (node.isWhiteout || node.isHidden)) {
      const slash = node.path.lastIndexOf("/") + 1;
      // an opaque directory hides everything below anyway
      if (node.isWhiteout || !this.#isBelowOpaque(node.path))
        this.#mark(`${node.path.slice(0, slash)}${whiteoutPrefix}${node.path.slice(slash)}`);
      return;
    }
    if (node.isOpaque && !this.#isBelowOpaque(node.path)) this.#opaque = node.path;
    const name = kindOf[node.mode & S_IFMT] === undefined ? undefined : this.#options.nameOf(node.path, node); // sockets
    this.#node = name === undefined ? undefined : node;
    this.#name = name;
    this.#xattrs = [];
    this.#extents = [];
    this.#isSparse = this.#isBegun = this.#isLink = false;
    this.#wanted = this.#done = 0;
  }

  /** Writes the header, which is complete when content or the next entry comes. */
  #write(): void {
    const node = this.#node;
    if (node === undefined || this.#isBegun) return;
    this.#isBegun = true;
    const first = this.#firstName(node);
    this.#isLink = first !== undefined;
    const entry = entryOf(node, this.#name as string, first, this.#xattrs);
    this.#count++;
    const extents = this.#isSparse && !this.#isLink ? { extents: this.#extents } : {};
    this.#pieces.push(encodeTarHeader({ ...entry, ...extents }));
    this.#wanted = this.#isSparse ? this.#extents.reduce((sum, { size }) => sum + size, 0) : entry.size;
    if (this.#isLink) this.#wanted = 0;
  }

  #firstName(node: TreeNode): string | undefined {
    if (node.links < 2 || (node.mode & S_IFMT) === S_IFDIR) return undefined;
    const first = this.#names.get(node.identity);
    if (first !== undefined) return first;
    const name = this.#name as string;
    this.#namesLeft -= name.length + nameBytes;
    if (this.#namesLeft >= 0) this.#names.set(node.identity, name);
    return undefined;
  }

  #isBelowOpaque(path: string): boolean {
    return this.#opaque !== undefined && (this.#opaque === "" || path.startsWith(`${this.#opaque}/`));
  }

  /** A marker of a layer: an empty file with a special name. */
  #mark(name: string): void {
    this.#count++;
    this.#pieces.push(encodeTarHeader({ ...plainEntry, path: name as ByteString }));
  }

  #content(bytes: Uint8Array): void {
    this.#write();
    const piece = bytes.subarray(0, this.#wanted - this.#done);
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#done += piece.length;
  }

  #finish(): void {
    this.#write();
    if (this.#wanted > this.#done) this.#pieces.push(this.#wanted - this.#done);
    if (this.#wanted > 0) this.#pieces.push(tarPadding(this.#wanted));
    if (this.#options.isLayer === true && this.#node?.isOpaque === true)
      this.#mark(this.#node.path === "" ? opaqueName : `${this.#node.path}/${opaqueName}`);
    this.#node = undefined;
    this.#wanted = this.#done = 0;
  }
}

const whiteoutPrefix = ".wh.";
const opaqueName = ".wh..wh..opq";

const zeros = new Uint8Array(64 * 1024);

function entryOf(node: TreeNode, name: string, first: string | undefined, xattrs: TarEntry["xattrs"]): TarEntry {
  const own = kindOf[node.mode & S_IFMT] ?? "file";
  const kind = first === undefined ? own : "hardlink";
  const isDevice = kind === "character" || kind === "block";
  return {
    kind,
    path: (kind === "directory" && !name.endsWith("/") ? `${name}/` : name) as ByteString,
    link: (first ?? (kind === "symlink" ? node.link : "")) as ByteString,
    mode: node.mode & 0o7777,
    uid: node.uid,
    gid: node.gid,
    user: "" as ByteString,
    group: "" as ByteString,
    // a mount that was not entered: the mount point without what is mounted there
    size: kind === "file" && !node.isMount ? node.size : 0,
    mtimeNs: node.mtimeNs,
    major: isDevice ? node.major : 0,
    minor: isDevice ? node.minor : 0,
    xattrs: kind === "hardlink" ? [] : xattrs,
  };
}

/** Labels of this machine's security modules are left out: they mean nothing elsewhere. */
function isKept(name: string): boolean {
  return !name.startsWith("security.") || name === "security.capability";
}
