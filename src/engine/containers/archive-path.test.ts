import { expect, test } from "bun:test";
import { archiveName, askedPath, goMode } from "./archive-path.ts";

test.each([
  // written     path      follow  name
  ["/a/b", "/a/b", false, "b"],
  ["a/b", "/a/b", false, "b"],
  ["/a/b/", "/a/b", true, "b"],
  ["/a/b/.", "/a/b", true, "."],
  ["/", "/", true, "/"],
  [".", "/", true, "/"],
  ["/../..", "/", true, "/"],
  ["/a/../b", "/b", false, "b"],
  ["/a/.hidden", "/a/.hidden", false, ".hidden"],
])("%s is %s, followed: %p, called %s", (written, path, follow, name) => {
  expect(askedPath(written)).toEqual({ path, follow, isDirectory: follow, name });
});

test("an archive's names begin with the top's, the root's with a slash alone", () => {
  expect([archiveName("b", ""), archiveName("b", "c/d"), archiveName("/", ""), archiveName("/", "c")]).toEqual([
    "b",
    "b/c/d",
    "/",
    "/c",
  ]);
});

test.each([
  [0o100644, 0o644],
  [0o040755, 2147484141],
  [0o120777, 134218239],
  [0o104755, 8389101],
  [0o041777, 2148532735],
  [0o020620, 69206416],
])("mode %o is Go's %d", (mode, go) => {
  expect(goMode(mode)).toBe(go);
});
