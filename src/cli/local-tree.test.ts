/** What `cp` writes for its caller, while it is on its way. */

import { expect, test } from "bun:test";
import { lstatSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { byteStringOfText, plainEntry } from "../spec/tar-entry.ts";
import { LocalWriter } from "./local-tree.ts";

test("a directory that everybody may write is its maker's alone until the last entry is there", () => {
  const directory = mkdtempSync(join(tmpdir(), "orlop-local-tree-"));
  const modeOf = (name: string): number => lstatSync(join(directory, name)).mode & 0o7777;
  try {
    const writer = new LocalWriter(directory, (path) => path);
    for (const path of ["open", "open/below"]) {
      writer.entry({ ...plainEntry, kind: "directory", path: byteStringOfText(path), mode: 0o1777 });
      writer.finish();
    }
    writer.entry({ ...plainEntry, path: byteStringOfText("open/below/file"), mode: 0o644 });
    writer.finish();
    expect(["open", "open/below", "open/below/file"].map(modeOf)).toEqual([0o700, 0o700, 0o644]);
    writer.end();
    expect(["open", "open/below"].map(modeOf)).toEqual([0o1777, 0o1777]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
