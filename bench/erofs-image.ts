/**
 * An EROFS image that has no content: a metadata index over a tar, which the kernel reads files' bytes from (a second device).
 * For measuring what it would be worth; attributes and hard links are left out.
 *
 * Source: Linux fs/erofs/erofs_fs.h. Blocks of 512 bytes, so that content lies where tar put it.
 */

import type { TarEntry } from "../src/spec/tar-entry.ts";

const blockBits = 9;
const blockBytes = 1 << blockBits;
const superOffset = 1024;
const inodeBytes = 64;
const metaStart = 2048;

/** A file of the tree, and where its content is in the tar. */
export interface IndexedEntry {
  readonly entry: TarEntry;
  /** In bytes; a whole block. */
  readonly offset: number;
}

interface Node {
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly size: number;
  readonly offset: number;
  readonly link: string;
  readonly children: Map<string, Node>;
  place: number;
}

const kindBits: Partial<Record<TarEntry["kind"], number>> = { file: 0o100000, directory: 0o040000, symlink: 0o120000 };
const direntTypes: Readonly<Record<number, number>> = { 16807: 1, 9604: 2, 21609: 7 };

/** The image, and how many blocks of the tar it may point to. */
export function makeErofsIndex(entries: readonly IndexedEntry[], tarBytes: number): Uint8Array {
  const root = treeOf(entries);
  const nodes: Node[] = [];
  const collect = (node: Node): void => {
    nodes.push(node);
    for (const child of node.children.values()) collect(child);
  };
  collect(root);
  const inodesEnd = placeInodes(nodes);
  const bodies = new Map<Node, { readonly block: number; readonly bytes: Buffer }>();
  let block = Math.ceil(inodesEnd / blockBytes);
  const parents = new Map<Node, Node>([[root, root]]);
  for (const node of nodes) for (const child of node.children.values()) parents.set(child, node);
  for (const node of nodes) {
    const bytes = isDirectory(node)
      ? directoryBytes(node, parents.get(node) ?? root)
      : node.link === ""
        ? undefined
        : Buffer.from(node.link, "latin1");
    if (bytes === undefined) continue;
    bodies.set(node, { block, bytes });
    block += Math.ceil(bytes.length / blockBytes);
  }
  const image = Buffer.alloc(block * blockBytes);
  writeSuper(image, nodes.length, block, nidOf(root), Math.ceil(tarBytes / blockBytes));
  nodes.forEach((node, i) => {
    const body = bodies.get(node);
    writeInode(image, node, i + 1, body);
    if (body !== undefined) image.set(body.bytes, body.block * blockBytes);
  });
  return image;
}

function treeOf(entries: readonly IndexedEntry[]): Node {
  const make = (name: string, { entry, offset }: IndexedEntry): Node => ({
    name,
    mode: (kindBits[entry.kind] ?? 0o100000) | entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    mtimeNs: entry.mtimeNs,
    size: entry.size,
    offset,
    link: entry.kind === "symlink" ? entry.link : "",
    children: new Map(),
    place: 0,
  });
  const top = entries[0] as IndexedEntry;
  const folder = (name: string): Node =>
    make(name, { entry: { ...top.entry, kind: "directory", mode: 0o755, size: 0 }, offset: 0 });
  const root = folder("");
  for (const indexed of entries) {
    if (kindBits[indexed.entry.kind] === undefined) continue;
    const parts = indexed.entry.path.split("/").filter((part) => part !== "" && part !== ".");
    const name = parts.pop();
    if (name === undefined) continue;
    let at = root;
    for (const part of parts) {
      const next = at.children.get(part) ?? folder(part);
      at.children.set(part, next);
      at = next;
    }
    const node = make(name, indexed);
    for (const [child, known] of at.children.get(name)?.children ?? []) node.children.set(child, known);
    at.children.set(name, node);
  }
  return root;
}

const isDirectory = (node: Node): boolean => (node.mode & 0o170000) === 0o040000;
const isFile = (node: Node): boolean => (node.mode & 0o170000) === 0o100000;
const nidOf = (node: Node): number => (node.place - metaStart) / 32;

/** An inode, and behind a file's its one chunk; never across a block's end. */
function placeInodes(nodes: readonly Node[]): number {
  let at = metaStart;
  for (const node of nodes) {
    const size = isFile(node) && node.size > 0 ? inodeBytes + 8 : inodeBytes;
    if ((at % blockBytes) + size > blockBytes) at = Math.ceil(at / blockBytes) * blockBytes;
    node.place = at;
    at = Math.ceil((at + size) / 32) * 32;
  }
  return at;
}

function directoryBytes(node: Node, parent: Node): Buffer {
  const names = [
    { name: ".", nid: nidOf(node), type: 2 },
    { name: "..", nid: nidOf(parent), type: 2 },
    ...[...node.children.values()].map((child) => ({
      name: child.name,
      nid: nidOf(child),
      type: direntTypes[child.mode & 0o170000] ?? 0,
    })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
  const blocks: Buffer[] = [];
  for (let first = 0; first < names.length; ) {
    let used = 0;
    let end = first;
    for (; end < names.length; end++) {
      const more = 12 + (names[end]?.name.length ?? 0);
      if (used + more > blockBytes) break;
      used += more;
    }
    const block = Buffer.alloc(blockBytes);
    let nameAt = (end - first) * 12;
    names.slice(first, end).forEach(({ name, nid, type }, i) => {
      block.writeBigUInt64LE(BigInt(nid), i * 12);
      block.writeUInt16LE(nameAt, i * 12 + 8);
      block[i * 12 + 10] = type;
      block.write(name, nameAt, "latin1");
      nameAt += name.length;
    });
    blocks.push(end === names.length ? block.subarray(0, nameAt) : block);
    first = end;
  }
  return Buffer.concat(blocks);
}

function writeSuper(image: Buffer, inodes: number, blocks: number, root: number, tarBlocks: number): void {
  const at = superOffset;
  image.writeUInt32LE(0xe0f5e1e2, at);
  image[at + 12] = blockBits;
  image.writeUInt16LE(root, at + 14);
  image.writeBigUInt64LE(BigInt(inodes), at + 16);
  image.writeUInt32LE(blocks, at + 36);
  image.writeUInt32LE(metaStart / blockBytes, at + 40);
  image.writeUInt32LE(0x4 | 0x8, at + 80); // chunked files, a device table
  image.writeUInt16LE(1, at + 86);
  image.writeUInt16LE((superOffset + 128) / 128, at + 88);
  image.writeUInt32LE(tarBlocks, superOffset + 128 + 64); // its only slot
}

function writeInode(
  image: Buffer,
  node: Node,
  ino: number,
  body: { readonly block: number; readonly bytes: Buffer } | undefined,
): void {
  const at = node.place;
  const isChunked = isFile(node) && node.size > 0;
  image.writeUInt16LE(1 | ((isChunked ? 4 : 0) << 1), at); // extended; chunks, or plain blocks
  image.writeUInt16LE(node.mode, at + 4);
  image.writeBigUInt64LE(BigInt(body?.bytes.length ?? node.size), at + 8);
  if (isChunked)
    image.writeUInt16LE(0x20 | 31, at + 16); // indexes; one chunk holds any file
  else image.writeUInt32LE(body?.block ?? 0, at + 16);
  image.writeUInt32LE(ino, at + 20);
  image.writeUInt32LE(node.uid, at + 24);
  image.writeUInt32LE(node.gid, at + 28);
  image.writeBigUInt64LE(node.mtimeNs / 1_000_000_000n, at + 32);
  image.writeUInt32LE(Number(node.mtimeNs % 1_000_000_000n), at + 40);
  image.writeUInt32LE(isDirectory(node) ? 2 : 1, at + 44);
  if (!isChunked) return;
  image.writeUInt16LE(1, at + inodeBytes + 2); // the device
  image.writeUInt32LE(node.offset / blockBytes, at + inodeBytes + 4);
}
