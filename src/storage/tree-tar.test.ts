/** What of a tree is remembered while it becomes an archive. */

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

test("where files with several names are too many, the last ones become files of their own", () => {
  const tar = new TreeTar({ nameOf: (path) => path, namesMaxBytes: 10_000 });
  const kinds: string[] = [];
  const nothing = (): void => undefined;
  const reader = new TarReader({ entry: ({ kind }) => kinds.push(kind), data: nothing, finish: nothing });
  for (const name of ["first", "second"])
    for (const id of [0, 1, 2, 3])
      tar.take({ kind: "entry", node: { ...plain, path: `${"d".repeat(4000)}/${name}-${id}`, identity: `1:1:${id}` } });
  tar.end();
  for (const bytes of tar.written()) reader.write(bytes);
  expect(kinds).toEqual(["file", "file", "file", "file", "hardlink", "hardlink", "file", "file"]);
});
