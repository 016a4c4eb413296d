/** What a tree that somebody made to be much takes of memory while it becomes an archive. */

import { expect, test } from "bun:test";
import { S_IFREG } from "../kernel/linux.ts";
import type { TreeNode } from "../kernel/tree-record.ts";
import { TarReader } from "../spec/tar-reader.ts";
import { TreeTar } from "./tree-tar.ts";

const plain = {
  mode: S_IFREG | 0o644,
  uid: 0,
  gid: 0,
  links: 2,
  major: 0,
  minor: 0,
  size: 0,
  mtimeNs: 0n,
  link: "",
  place: "",
  isMount: false,
  isWhiteout: false,
  isOpaque: false,
  isBelow: false,
  isSame: false,
  isHidden: false,
  isTouched: false,
} satisfies Omit<TreeNode, "path" | "identity">;

test("of a hundred thousand files with two long names each, not every name is remembered", () => {
  const tar = new TreeTar({ nameOf: (path) => path });
  const take = (id: number, name: string): void => {
    const path = Buffer.from(`${"d".repeat(4000)}/${name}`).toString("latin1");
    tar.take({ kind: "entry", node: { ...plain, path, identity: `1:1:${id}` } });
  };
  const memory = (): number => {
    Bun.gc(true);
    return process.memoryUsage().rss;
  };
  const before = memory();
  for (let id = 0; id < 100_000; id++) {
    take(id, `a${id}`);
    for (const _ of tar.written());
  }
  expect(memory() - before).toBeLessThan(300 << 20);
  const kinds: string[] = [];
  const nothing = (): void => undefined;
  const reader = new TarReader({ entry: ({ kind }) => kinds.push(kind), data: nothing, finish: nothing });
  for (const id of [0, 99_999]) take(id, `b${id}`);
  tar.end();
  for (const bytes of tar.written()) reader.write(bytes);
  // the last of before, a link to the first name, and one whose first name has been forgotten
  expect(kinds).toEqual(["file", "hardlink", "file"]);
}, 120_000);
